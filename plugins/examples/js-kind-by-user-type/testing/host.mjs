// What the daemon is to a plugin: the log, and the tables of its configuration.

/** The tables that a vector brings: rows by key, each an object of texts by column. */
export const tables = new Map();

export default {
  log: () => {},
  lookup(table, key) {
    const rows = tables.get(table);
    if (!rows) throw "unknown-table";
    const row = Object.hasOwn(rows, key) ? rows[key] : null;
    return row && Object.entries(row).map(([column, value]) => ({ column, value }));
  },
};
