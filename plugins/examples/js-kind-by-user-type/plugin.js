// Which kind of person somebody is: the provider's user type says whether they are employed or not.
//
// Who is not employed sees hours and no money. Only `employee` gives way, which everybody is of whom nothing else was said, and not where an
// administrator has said it.

import host from "rosterd:plugin/host@0.1.0";

let settings = { freelancers: [] };

/** A problem, as the contract has it: thrown where a function of the contract may fail. */
const problem = (kind, path, detail) => ({ kind, path, detail });

export const lifecycle = {
  describe: () => ({
    name: "js-kind-by-user-type",
    version: "0.1.0",
    settingsSchema: JSON.stringify({
      $schema: "https://json-schema.org/draft/2020-12/schema",
      type: "object",
      properties: {
        freelancers: {
          description: "User types of people who are not employed. Capitals do not matter.",
          type: "array",
          items: { type: "string", minLength: 1 },
        },
      },
      required: ["freelancers"],
      additionalProperties: false,
    }),
    reads: ["userType", "kind"],
    writes: ["kind", "financialVisibility"],
  }),

  configure(text) {
    const given = JSON.parse(text);
    if (!Array.isArray(given.freelancers)) {
      throw problem("configuration", "freelancers", "expected a list of user types");
    }
    settings = { freelancers: given.freelancers.map((name) => name.toLowerCase()) };
  },
};

export const mapper = {
  mapUser(context, user, held) {
    if (!user.userType || (held.kind && (held.kind.origin === "admin" || held.kind.value !== "employee"))) return [];
    if (!settings.freelancers.includes(user.userType.toLowerCase())) return [];
    host.log("debug", `not employed, because the user type is ${user.userType}`);
    return [
      { tag: "set-kind", val: "freelancer" },
      { tag: "set-financial-visibility", val: "hoursOnly" },
    ];
  },
};
