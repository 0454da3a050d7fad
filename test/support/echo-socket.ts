/** The least WebSocket server (RFC 6455): echoes short text and binary frames, and answers a close with the same code. */
import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;

/** Accepts an upgrade. `closed` gets the code of the client's close frame, or `null` where the connection just ended. */
export function acceptWebSocket(request: IncomingMessage, socket: Duplex, closed: (code: number | null) => void): void {
  const key = String(request.headers["sec-websocket-key"]);
  const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  const [protocol] = String(request.headers["sec-websocket-protocol"] ?? "").split(",");
  const lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
  lines.push(`Sec-WebSocket-Accept: ${accept}`);
  if (protocol) lines.push(`Sec-WebSocket-Protocol: ${protocol}`);
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);

  let pending = Buffer.alloc(0);
  let code: number | null = null;
  socket.on("data", (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    for (;;) {
      const frame = readFrame(pending);
      if (frame === null) return;
      pending = pending.subarray(frame.end);
      if (frame.opcode === TEXT || frame.opcode === BINARY) socket.write(frameOf(frame.opcode, frame.payload));
      if (frame.opcode !== CLOSE) continue;
      code = frame.payload.length >= 2 ? frame.payload.readUInt16BE(0) : 1005;
      socket.end(frameOf(CLOSE, frame.payload));
    }
  });
  socket.on("error", () => socket.destroy());
  socket.on("close", () => closed(code));
}

function frameOf(opcode: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x80 | opcode, payload.length]), payload]);
}

function readFrame(from: Buffer): { opcode: number; payload: Buffer; end: number } | null {
  if (from.length < 6) return null;
  const [first = 0, second = 0] = from;
  const length = second & 0x7f;
  const end = 6 + length;
  if (from.length < end) return null;
  const payload = Buffer.from(from.subarray(6, end));
  for (let k = 0; k < length; k++) payload[k] = (payload[k] ?? 0) ^ (from[2 + (k % 4)] ?? 0);
  return { opcode: first & 0x0f, payload, end };
}
