# Prints what a JSON report has that migprep(1), JSON REPORT, does not document, and what it lacks: a text for each.
# A member is "TYPE|TYPE", with ? in front where it may be absent.

def members($at; $spec):
	. as $o
	| ($spec | to_entries[] | .key as $key | (.value | ltrimstr("?") | split("|")) as $types
		| if $o | has($key) then
			select($o[$key] | type as $type | any($types[]; . == $type) | not)
			| "\($at).\($key) is \($o[$key] | tojson), not \($types | join(" or "))"
		else
			select(.value | startswith("?") | not) | "\($at) has no \($key)"
		end),
	($o | keys_unsorted[] | select(in($spec) | not) | "\($at).\(.) is not documented");

def one_of($at; $words): select(. as $word | any($words[]; . == $word) | not) | "\($at) is \(tojson)";

def change($at): members($at; { what: "string", before: "string|null", after: "string|null" });

def result($at; $more):
	members($at; { id: "string", status: "string", reason: "string", remedy: "string",
		changes: "?array", data: "?object|array" } + $more),
	(.status | one_of("\($at).status"; ["ok", "skip", "warn", "drift", "unknown", "fail"])),
	(select(.status == "drift" or .status == "fail" or .status == "unknown") | select(.reason == "")
		| "\($at) says \(.status) without a reason"),
	(.changes[]? | change("\($at).changes"));

def error($at): select(. != null) | members($at; { code: "string", text: "string" });

def host:
	.name as $at
	| members($at; { name: "string", address: "string", migration_address: "string", reached: "boolean",
		error: "object|null", results: "array", applied: "array" }),
	(.error | error("\($at).error")),
	(.results[] | result("\($at).results"; {})),
	(.applied[] | members("\($at).applied"; { resource: "string", changes: "array", error: "object|null" }),
		(.error | error("\($at).applied.error")),
		(.changes[] | change("\($at).applied.changes")));

def pair:
	"\(.source)->\(.target)" as $at
	| members($at; { source: "string", target: "string", tried: "boolean", why: "string|null", ok: "boolean|null",
		trials: "array", results: "array" }),
	(.trials[] | members("\($at).trials"; { kind: "string", user: "string|null", target: "string", ok: "boolean",
			cause: "string|null", text: "string|null", ms: "number|null" }),
		(.kind | one_of("\($at).kind"; ["ssh", "tcp"])),
		(select((.kind == "tcp") != (.user == null)) | "\($at): a trial of \(.kind) by \(.user)")),
	(.results[] | result("\($at).results"; {}));

def move:
	"\(.source)=>\(.target)" as $at
	| members($at; { source: "string", target: "string", mode: "string", domain: "string|null", uuid: "string|null",
		outcome: "string", reason: "string|null", remedy: "string|null", running_on: "string|null",
		total_ms: "number|null", downtime_ms: "number|null", guest_pause_ms: "number|null",
		transferred_bytes: "number|null", memory_verified: "boolean|null", proof: "object" }),
	(.outcome | one_of("\($at).outcome"; ["ok", "failed", "unproved", "aborted", "refused"]));

def summary:
	members("summary"; { exit_status: "number", verdict: "string", statuses: "object", hosts: "object", pairs: "object",
		moves: "object", applied: "object" }),
	(.statuses | members("summary.statuses"; { ok: "number", skip: "number", warn: "number", drift: "number",
		unknown: "number", fail: "number" })),
	(.hosts | members("summary.hosts"; { total: "number", selected: "number", reached: "number" })),
	(.pairs | members("summary.pairs"; { total: "number", tried: "number", failed: "number" })),
	(.moves | members("summary.moves"; { total: "number", ok: "number" })),
	(.applied | members("summary.applied"; { total: "number", failed: "number" }));

members("report"; { schema: "number", version: "string", command: "string", started: "string", duration_ms: "number",
	inventory: "string", profile: "string|null", dry_run: "boolean", interrupted: "boolean", hosts: "array",
	cluster: "array", pairs: "array", moves: "array", summary: "object" }),
(select(.schema != 1) | "schema is \(.schema)"),
(.started | select(test("^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ$") | not) | "started is \(.)"),
(.hosts[] | host),
(.cluster[] | result("cluster"; { host: "?string", peer: "?string" })),
(.pairs[] | pair),
(.moves[] | move),
(.summary | summary)
