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
  withdraws INTEGER,
  CHECK (kind <> 'issuer' OR value = issuer)
) STRICT;

CREATE UNIQUE INDEX IF NOT EXISTS revocations_withdraws ON revocations (withdraws) WHERE withdraws IS NOT NULL;

CREATE INDEX IF NOT EXISTS revocations_expires_at ON revocations (expires_at) WHERE expires_at IS NOT NULL;

-- For the record of a token that is issued to a subject that is cut off already.
CREATE INDEX IF NOT EXISTS revocations_subject ON revocations (value, issuer) WHERE kind = 'subject';

CREATE TRIGGER IF NOT EXISTS revocations_never_change BEFORE UPDATE ON revocations
BEGIN SELECT RAISE(ABORT, 'revocations are only ever added to'); END;

-- Rows come in the order of their sequence, and none in another's place (INSERT OR REPLACE passes the other triggers by).
CREATE TRIGGER IF NOT EXISTS revocations_come_in_order BEFORE INSERT ON revocations
WHEN NEW.sequence <> -1 AND NEW.sequence <= (SELECT max(sequence) FROM revocations)
  OR EXISTS (SELECT 1 FROM revocations WHERE withdraws = NEW.withdraws)
BEGIN SELECT RAISE(ABORT, 'revocations come in order, and each is withdrawn once'); END;

-- A row may go a day after its expiry: by then it revokes nothing any more, by any clock.
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

-- Tokens that this gateway issued: records, never the token, its signature or its hash. "number" is the order of issue.
-- "ancestors" is the claim of that name. "revoked_at" and "revocation" (a sequence) tell the first of its token_revocations.
CREATE TABLE IF NOT EXISTS tokens (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  subject TEXT NOT NULL,
  client TEXT NOT NULL,
  scopes TEXT NOT NULL CHECK (json_type(scopes) = 'array'),
  allow_list TEXT CHECK (allow_list IS NULL OR json_type(allow_list) = 'array'),
  conditions TEXT NOT NULL CHECK (json_type(conditions) = 'array'),
  issued_at INTEGER NOT NULL,
  authenticated_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  created_by_issuer TEXT NOT NULL,
  created_by_subject TEXT,
  parent TEXT,
  ancestors TEXT NOT NULL CHECK (json_type(ancestors) = 'array'),
  replaces TEXT,
  revoked_at INTEGER,
  revocation INTEGER,
  last_used_at INTEGER
) STRICT;

CREATE INDEX IF NOT EXISTS tokens_subject ON tokens (subject, number);

CREATE INDEX IF NOT EXISTS tokens_name ON tokens (name, number);

-- What the list of tokens is filtered by: the triggers below keep these in step with the tokens.
CREATE TABLE IF NOT EXISTS token_scopes (
  scope TEXT NOT NULL,
  token INTEGER NOT NULL,
  live_until INTEGER NOT NULL,
  PRIMARY KEY (scope, token)
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS token_scopes_live ON token_scopes (scope, live_until);

CREATE INDEX IF NOT EXISTS token_scopes_token ON token_scopes (token);

CREATE TABLE IF NOT EXISTS token_ancestors (
  ancestor TEXT NOT NULL,
  token INTEGER NOT NULL,
  PRIMARY KEY (ancestor, token)
) STRICT, WITHOUT ROWID;

-- Whose a token is: everybody who issued it, one that it descends from, or one that it replaces.
CREATE TABLE IF NOT EXISTS token_owners (
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  token INTEGER NOT NULL,
  PRIMARY KEY (issuer, subject, token)
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS token_owners_token ON token_owners (token);

-- Which revocations meet a token that has a record: its own, those of its ancestors and of its subject. For people to see:
-- what is enforced is the revocations alone.
CREATE TABLE IF NOT EXISTS token_revocations (
  token INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (token, sequence)
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS token_revocations_sequence ON token_revocations (sequence);

CREATE TRIGGER IF NOT EXISTS token_revocations_added AFTER INSERT ON token_revocations
BEGIN UPDATE tokens SET revoked_at = NEW.at, revocation = NEW.sequence WHERE number = NEW.token AND (revoked_at IS NULL OR revoked_at > NEW.at); END;

CREATE TRIGGER IF NOT EXISTS token_revocations_withdrawn AFTER DELETE ON token_revocations
BEGIN UPDATE tokens SET (revoked_at, revocation) = (SELECT at, sequence FROM token_revocations WHERE token = OLD.token ORDER BY at, sequence LIMIT 1) WHERE number = OLD.token; END;

CREATE TRIGGER IF NOT EXISTS tokens_issued AFTER INSERT ON tokens
BEGIN
  INSERT OR IGNORE INTO token_scopes (scope, token, live_until) SELECT value, NEW.number, NEW.expires_at FROM json_each(NEW.scopes)
  ; INSERT OR IGNORE INTO token_ancestors (ancestor, token) SELECT value, NEW.number FROM json_each(NEW.ancestors)
  ; INSERT OR IGNORE INTO token_owners (issuer, subject, token) SELECT NEW.created_by_issuer, NEW.created_by_subject, NEW.number WHERE NEW.created_by_subject IS NOT NULL
  ; INSERT OR IGNORE INTO token_owners (issuer, subject, token) SELECT owner.issuer, owner.subject, NEW.number FROM tokens AS elder JOIN token_owners AS owner ON owner.token = elder.number WHERE elder.id IN (NEW.parent, NEW.replaces)
  ; INSERT OR IGNORE INTO token_revocations (token, sequence, at) SELECT NEW.number, ending.sequence, ending.at FROM tokens AS elder JOIN token_revocations AS ending ON ending.token = elder.number WHERE elder.id IN (SELECT value FROM json_each(NEW.ancestors))
; END;

CREATE TRIGGER IF NOT EXISTS tokens_revoked AFTER UPDATE OF revoked_at ON tokens
BEGIN UPDATE token_scopes SET live_until = min(NEW.expires_at, coalesce(NEW.revoked_at, NEW.expires_at)) WHERE token = NEW.number; END;

-- The audit log: every write, in the same batch as the write itself. Nobody changes or deletes a row. "write" is made by
-- whoever writes, and the other statements of the batch ask for it, so that there is a row exactly where there is an effect.
CREATE TABLE IF NOT EXISTS audit (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  write TEXT NOT NULL UNIQUE,
  at INTEGER NOT NULL,
  actor_issuer TEXT NOT NULL,
  actor_subject TEXT,
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

CREATE TRIGGER IF NOT EXISTS audit_comes_in_order BEFORE INSERT ON audit
WHEN NEW.sequence <> -1 AND NEW.sequence <= (SELECT max(sequence) FROM audit)
BEGIN SELECT RAISE(ABORT, 'the audit log is only ever added to'); END;

CREATE TRIGGER IF NOT EXISTS audit_never_shrinks BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is only ever added to'); END;

-- Uses a day (days since 1970-01-01, UTC) by token and by scope that decided.
CREATE TABLE IF NOT EXISTS usage (
  kind TEXT NOT NULL CHECK (kind IN ('token', 'scope')),
  name TEXT NOT NULL,
  day INTEGER NOT NULL,
  count INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  PRIMARY KEY (kind, name, day)
) STRICT, WITHOUT ROWID;

-- Idempotency keys of POST /tokens: whose, which request it was, what it made. Never the token.
CREATE TABLE IF NOT EXISTS idempotency (
  caller TEXT NOT NULL,
  key TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  token TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (caller, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS idempotency_created_at ON idempotency (created_at);
