-- Filling the database from a copy of another store (rosterd restore, rosterd store import). There is always this one row.
--
-- Its state: 'none', it was never filled; 'rows', rows are being written; 'whole', all are there and were compared; 'done', it may be used.
-- Each step of filling locks the row and counts on it, in the step's own transaction; and so does whoever makes rows in rosterd.tenants, without which
-- nobody can write. So no daemon writes into a database that is being filled, whenever it was started.
CREATE TABLE rosterd.filling (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    state TEXT NOT NULL,
    -- Which copy, and which process does it.
    source TEXT NOT NULL,
    filler BYTEA NOT NULL,
    written BIGINT NOT NULL,
    at TIMESTAMPTZ NOT NULL DEFAULT now()
);

INSERT INTO rosterd.filling (one, state, source, filler, written) VALUES (1, 'none', '', '', 0);
