// Has Node take host.mjs for what the daemon brings.

import { register } from "node:module";

const host = new URL("./host.mjs", import.meta.url).href;

register(
  `data:text/javascript,${encodeURIComponent(`
export const resolve = (specifier, context, next) =>
  specifier.startsWith("rosterd:plugin/host") ? { url: ${JSON.stringify(host)}, shortCircuit: true } : next(specifier, context);
`)}`,
);
