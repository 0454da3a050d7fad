-- Every table of scopegate. Applies to an empty and to an existing database, as often as one likes:
--   npx wrangler d1 execute DB --local --file schema.sql
-- A statement ends where a line ends with a semicolon, and nowhere else (test/support/database.ts splits there).
-- Times are whole seconds since the epoch. What is JSON is checked to be JSON.

-- Revocations: the record of which every index in memory is a copy (docs/revocation.md). Only ever added to. A row with
-- "withdraws" takes back the row of that sequence and repeats its fields, so that it can be applied by itself.
CREATE TABLE IF NOT EXISTS revocations (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL CHECK (kind IN ('token', 'subject', 'client', 'issuer', 'key')),
  issuer TEXT NOT NULL,
  value TEXT NOT NULL,
  issued_before INTEGER,
  effective_at INTEGER NOT NULL,
  expires_at INTEGER,
  reason TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  withdraws INTEGER
) STRICT;

CREATE UNIQUE INDEX IF NOT EXISTS revocations_withdraws ON revocations (withdraws) WHERE withdraws IS NOT NULL;

CREATE INDEX IF NOT EXISTS revocations_expires_at ON revocations (expires_at) WHERE expires_at IS NOT NULL;

CREATE TRIGGER IF NOT EXISTS revocations_never_change BEFORE UPDATE ON revocations
BEGIN SELECT RAISE(ABORT, 'revocations are only ever added to'); END;

-- A row may go a day after its expiry: by then every token that it could meet has expired, whoever's clock is wrong.
CREATE TRIGGER IF NOT EXISTS revocations_go_when_expired BEFORE DELETE ON revocations
WHEN OLD.expires_at IS NULL OR OLD.expires_at > unixepoch() - 86400
BEGIN SELECT RAISE(ABORT, 'a revocation stays until a day after its expiry'); END;

-- Which line of history the sequences belong to. Change it after a restore (docs/revocation.md) and every isolate loads anew.
CREATE TABLE IF NOT EXISTS revocation_history (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  history TEXT NOT NULL
) STRICT;

INSERT OR IGNORE INTO revocation_history (one, history) VALUES (1, lower(hex(randomblob(16))));

-- Packed states in KV: each row names a value, the sequence that it holds and its SHA-256.
CREATE TABLE IF NOT EXISTS snapshots (
  name TEXT PRIMARY KEY,
  history TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  checksum TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  entries INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS snapshots_sequence ON snapshots (history, sequence);

-- Receipts: what each location last reported to hold. "as_of" is when the query behind it was sent.
CREATE TABLE IF NOT EXISTS receipts (
  location TEXT PRIMARY KEY,
  sequence INTEGER NOT NULL,
  as_of INTEGER NOT NULL,
  reported_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Tokens that this gateway issued: records, never the token, its signature or its hash.
CREATE TABLE IF NOT EXISTS tokens (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  subject TEXT NOT NULL,
  client_id TEXT NOT NULL,
  scopes TEXT NOT NULL CHECK (json_valid(scopes)),
  allow_list TEXT CHECK (allow_list IS NULL OR json_valid(allow_list)),
  conditions TEXT CHECK (conditions IS NULL OR json_valid(conditions)),
  issued_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  created_by_issuer TEXT NOT NULL,
  created_by_subject TEXT NOT NULL,
  created_by_token TEXT NOT NULL,
  parent TEXT,
  ancestors TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(ancestors)),
  root TEXT NOT NULL,
  revoked_at INTEGER,
  last_used_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS tokens_issued_at ON tokens (issued_at, id);

CREATE INDEX IF NOT EXISTS tokens_subject ON tokens (subject, issued_at, id);

CREATE INDEX IF NOT EXISTS tokens_name ON tokens (name, issued_at, id);

CREATE INDEX IF NOT EXISTS tokens_created_by ON tokens (created_by_issuer, created_by_subject, issued_at, id);

CREATE INDEX IF NOT EXISTS tokens_parent ON tokens (parent) WHERE parent IS NOT NULL;

CREATE INDEX IF NOT EXISTS tokens_root ON tokens (root);

CREATE INDEX IF NOT EXISTS tokens_expires_at ON tokens (expires_at);

-- One row for each scope of each token, to filter by.
CREATE TABLE IF NOT EXISTS token_scopes (
  scope TEXT NOT NULL,
  issued_at INTEGER NOT NULL,
  token TEXT NOT NULL,
  PRIMARY KEY (scope, issued_at, token)
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS token_scopes_token ON token_scopes (token);

-- The audit log: every write, in the same batch as the write itself. Nobody changes or deletes a row.
CREATE TABLE IF NOT EXISTS audit (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  actor_issuer TEXT NOT NULL,
  actor_subject TEXT NOT NULL,
  actor_token TEXT NOT NULL,
  action TEXT NOT NULL,
  target TEXT NOT NULL,
  before TEXT CHECK (before IS NULL OR json_valid(before)),
  after TEXT CHECK (after IS NULL OR json_valid(after)),
  address TEXT,
  request_id TEXT NOT NULL
) STRICT;

CREATE TRIGGER IF NOT EXISTS audit_never_changes BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is only ever added to'); END;

CREATE TRIGGER IF NOT EXISTS audit_never_shrinks BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is only ever added to'); END;

-- Uses a day ("2026-10-01", UTC) by token and by scope that decided.
CREATE TABLE IF NOT EXISTS usage (
  kind TEXT NOT NULL CHECK (kind IN ('token', 'scope')),
  name TEXT NOT NULL,
  day TEXT NOT NULL,
  count INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  PRIMARY KEY (kind, name, day)
) STRICT, WITHOUT ROWID;

-- Idempotency keys of POST /tokens: whose, which request it was, what it made. Never the token.
CREATE TABLE IF NOT EXISTS idempotency (
  actor TEXT NOT NULL,
  key TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  token TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (actor, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS idempotency_created_at ON idempotency (created_at);
