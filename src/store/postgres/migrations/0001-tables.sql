-- The key layout of store::kv in two tables, and what several daemons on one database need to agree.
-- Nothing here needs a collation, a sequence, a trigger or a generated column.

-- Records, under tenant, kind and id.
CREATE TABLE rosterd.documents (key BYTEA PRIMARY KEY, value BYTEA NOT NULL);

-- Everything else, under tenant, drawer and the rest of the key.
CREATE TABLE rosterd.small (key BYTEA PRIMARY KEY, value BYTEA NOT NULL);

-- A row for each tenant that was ever written to. Whoever writes for a tenant holds its row to the end of the transaction, and counts on
-- it, so that the other daemons see that something has changed.
CREATE TABLE rosterd.tenants (tenant BIGINT PRIMARY KEY, writes BIGINT NOT NULL);

-- The last batch of each daemon, written with the batch: by it a daemon that lost its connection while it committed learns what became of that.
CREATE TABLE rosterd.writers (writer BYTEA PRIMARY KEY, batch BIGINT NOT NULL, at TIMESTAMPTZ NOT NULL DEFAULT now());
