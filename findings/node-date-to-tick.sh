#!/usr/bin/env bash
# @zilliz/milvus2-sdk-node 3.0.6 (npm), seen on 2026-11-29 with Node 20.20.2
#
# datetimeToHybrids turns a Date into a time tick (milliseconds, 18 bits to the left).
# It works only for a Date on a full second: any other, as `new Date()` nearly always
# is, raises a SyntaxError of BigInt. The way back, hybridtsToUnixtime, drops the
# milliseconds.
#
# Output:
#   2026-11-29T20:00:00.000Z: 470806010265600000
#   2026-11-29T20:00:00.250Z: SyntaxError: Cannot convert 1795982400.25 to a BigInt
#   470806010331136000 back: 1795982400
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent @zilliz/milvus2-sdk-node@3.0.6 >/dev/null 2>&1
cat >check.cjs <<'JS'
const { datetimeToHybrids, hybridtsToUnixtime } = require("@zilliz/milvus2-sdk-node");
for (const at of ["2026-11-29T20:00:00.000Z", "2026-11-29T20:00:00.250Z"]) {
  let got;
  try {
    got = datetimeToHybrids(new Date(at));
  } catch (e) {
    got = String(e);
  }
  console.log(`${at}: ${got}`);
}
const tick = String(BigInt(Date.parse("2026-11-29T20:00:00.250Z")) << 18n);
console.log(`${tick} back: ${hybridtsToUnixtime(tick)}`);
JS
node check.cjs >said
cat said
diff - said <<'OUT'
2026-11-29T20:00:00.000Z: 470806010265600000
2026-11-29T20:00:00.250Z: SyntaxError: Cannot convert 1795982400.25 to a BigInt
470806010331136000 back: 1795982400
OUT
