// Asks the plugin the vectors in tests/, natively. `rosterd plugin test` asks the component the same ones by the daemon's own code.
// Knows the hook `map`, and tables that stand in the vector itself.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

import * as plugin from "../plugin.js";
import { tables } from "./host.mjs";

const folder = new URL("../tests/", import.meta.url);
const read = (name, from = folder) => JSON.parse(readFileSync(new URL(name, from), "utf8"));

const nobody = { active: true, groups: [], id: "00000000-0000-7000-8000-000000000001", extra: {}, shadow: {} };
const nothing = { userTypes: [], employments: [], costRates: [], billingRates: [] };

/** An option that is left out is null for a plugin. */
const optional = (given) => new Proxy(given, { get: (all, name) => (name in all ? all[name] : null) });

function ask(vector) {
  tables.clear();
  for (const [name, rows] of Object.entries(vector.tables ?? {})) tables.set(name, rows);
  const today = vector.context?.today ?? vector.context?.now?.slice(0, 10) ?? "2026-03-01";
  const context = {
    tenant: "main",
    source: "idp",
    operation: "create",
    correlationId: "vector",
    now: `${today}T00:00:00Z`,
    today,
    dryRun: false,
    ...vector.context,
  };
  const user = { ...nobody, ...vector.user };
  user.extra = JSON.stringify(user.extra);
  user.shadow = JSON.stringify(user.shadow);
  const settings = typeof vector.settings === "string" ? read(vector.settings) : vector.settings;
  try {
    plugin.lifecycle.configure(JSON.stringify(settings ?? {}));
    return { changes: plugin.mapper.mapUser(context, optional(user), optional({ ...nothing, ...vector.held })) };
  } catch (problem) {
    if (!problem?.kind) throw problem;
    return { problem };
  }
}

for (const name of readdirSync(folder).filter((name) => name.endsWith(".json")).sort()) {
  const vector = read(name);
  test(vector.title ?? name, () => {
    const answer = ask(vector);
    if (!vector.expect.problem) return assert.deepEqual(answer, vector.expect);
    // Of a problem, what the vector says is looked at.
    const told = Object.keys(vector.expect.problem).map((key) => [key, answer.problem?.[key] ?? null]);
    assert.deepEqual(Object.fromEntries(told), vector.expect.problem);
  });
}

test("it describes itself", () => {
  const manifest = plugin.lifecycle.describe();
  JSON.parse(manifest.settingsSchema);
  assert.ok(manifest.reads.length > 0);
});
