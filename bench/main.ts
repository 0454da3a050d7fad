/**
 * `npm run bench`: commands that measure what the README claims about speed. Everything runs on loopback and ends by itself.
 *
 *     npm run bench                        the comparison; --check against bench/baseline.json, --keep writes it
 *     npm run bench -- routes|scopes|revocation|tokens|bodies|connections|cold|micro|profile
 */
import { parseArgs } from "node:util";
import { bodies } from "./bodies.ts";
import { cold } from "./cold.ts";
import { compare, type Plan } from "./compare.ts";
import { micro } from "./micro.ts";
import { machine, stopAll } from "./process.ts";
import { profile } from "./profile.ts";
import { revocation } from "./revocation.ts";
import { connections, routes, scopes, tokens } from "./scale.ts";
import { stopWorkers } from "./worker.ts";

const HELP = `Usage: npm run bench -- [COMMAND] [options]

Commands (none: the comparison with both limits, Hono and Fastify):
  routes        10, 1,000 and 10,000 routes, and what they cost to load
  scopes        1 to 1,000 scopes in a token
  revocation    0, 10,000 and 1,000,000 revocations: throughput, memory, first request, time to the first refusal
  tokens        1 to 20,000 live tokens
  bodies        1 KiB to 100 MB, up and down
  connections   1 to 1,000 connections, and a thousand event streams
  cold          the bundle, its start and the first request
  micro         each room by itself
  profile       where the time of a warm request goes

Options:
  --rounds N    100: how often each is measured, in turns
  --seconds S   0.1: how long, each time
  --repeats N   10: how often a start or a step by itself is measured
  --tokens N    20000: how many different tokens the comparison takes
  --check       the comparison: exit code 1 where a ratio is more than 5 % below bench/baseline.json
  --keep        the comparison: writes bench/baseline.json
`;

const COMMANDS = new Map<string, (plan: Plan) => Promise<void>>([
  ["routes", routes],
  ["scopes", scopes],
  ["revocation", revocation],
  ["tokens", tokens],
  ["bodies", bodies],
  ["connections", connections],
  ["cold", cold],
  ["micro", micro],
  ["profile", profile],
]);

process.exitCode = await main();

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: "string", default: "100" },
      seconds: { type: "string", default: "0.1" },
      repeats: { type: "string", default: "10" },
      tokens: { type: "string", default: "20000" },
      check: { type: "boolean" },
      keep: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  const plan = {
    rounds: Number(values.rounds),
    seconds: Number(values.seconds),
    repeats: Number(values.repeats),
    tokens: Number(values.tokens),
  };
  const [name] = positionals;
  const command = name === undefined ? undefined : COMMANDS.get(name);
  const isPlan = Object.values(plan).every((value) => Number.isFinite(value) && value > 0);
  if (values.help || !isPlan || positionals.length > 1 || (name !== undefined && command === undefined)) {
    (values.help ? process.stdout : process.stderr).write(HELP);
    return values.help ? 0 : 2;
  }
  if (process.platform !== "linux") {
    console.error("The benchmarks read the processes' CPU time from /proc, which needs Linux.");
    return 2;
  }
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => void stopWorkers().then(() => process.exit(130)));
  }
  console.log(`${machine()}\n`);
  try {
    if (command !== undefined) await command(plan);
    else if (!(await compare(plan, values.check ? "check" : values.keep ? "keep" : "print"))) return 1;
    return 0;
  } finally {
    await stopWorkers();
    stopAll();
  }
}
