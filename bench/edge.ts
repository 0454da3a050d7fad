/**
 * What Cloudflare's edge adds to every request besides headers: `request.cf`, here as long as in production. It costs a Worker
 * time when the Worker passes it on. Fastify's process ignores the header.
 */

/** The header from which workerd reads `request.cf`, and which it then removes. */
export const CF_HEADER = "Bench-CF";

const CERTIFICATE = {
  certIssuerDNLegacy: "",
  certIssuerDN: "",
  certIssuerDNRFC2253: "",
  certIssuerSKI: "",
  certSubjectDNLegacy: "",
  certVerified: "NONE",
  certNotAfter: "",
  certSubjectDN: "",
  certFingerprintSHA1: "",
  certFingerprintSHA256: "",
  certNotBefore: "",
  certSerial: "",
  certIssuerSerial: "",
  certSKI: "",
  certPresented: "0",
  certRevoked: "0",
  certSubjectDNRFC2253: "",
};

const CF = {
  clientTcpRtt: 12,
  requestHeaderNames: {},
  httpProtocol: "HTTP/2",
  tlsCipher: "AEAD-AES128-GCM-SHA256",
  continent: "EU",
  asn: 64496,
  clientAcceptEncoding: "gzip, br",
  verifiedBotCategory: "",
  country: "DE",
  region: "Land Berlin",
  tlsClientCiphersSha1: "kXrN3VEKDdzz2cPKTQaKzpxVTxQ=",
  tlsClientAuth: CERTIFICATE,
  tlsClientRandom: "KvlZ7tBqGV3rI6xP0vXNYpjDZ4uTn0yQp4c9yKqKzRI=",
  tlsExportedAuthenticator: {
    clientFinished: "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0",
    clientHandshake: "f0e1d2c3b4a5968778695a4b3c2d1e0ff0e1d2c3b4a5968778695a4b3c2d1e0f",
    serverHandshake: "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
    serverFinished: "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100",
  },
  tlsClientHelloLength: "508",
  colo: "TXL",
  timezone: "Europe/Berlin",
  longitude: "13.40500",
  latitude: "52.52000",
  edgeRequestKeepAliveStatus: 1,
  requestPriority: "weight=16;exclusive=0;group=0;group-weight=0",
  postalCode: "10115",
  city: "Berlin",
  tlsVersion: "TLSv1.3",
  regionCode: "BE",
  asOrganization: "Example Carrier",
  tlsClientExtensionsSha1: "Y7DIC8A6G0/aXviZ8ie/xDbJb7g=",
  tlsClientExtensionsSha1Le: "6e+q3vPm88rSgMTN/h7WTTxQ2wQ=",
};

export const EDGE_HEADERS: Readonly<Record<string, string>> = { [CF_HEADER]: JSON.stringify(CF) };
