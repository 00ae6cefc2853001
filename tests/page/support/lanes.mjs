/**
 * Runs test files, each with a sandbox of its own so that none finds what another left, a few at a time. What a file says is printed when
 * it has ended, so that two never mix; what a failed one says is printed last, with the end of its sandbox's log: where people look.
 *
 * node lanes.mjs SANDBOX DIRECTORY LANES FILE…
 */

import { spawn } from "node:child_process";
import { createWriteStream, mkdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";

const [program, directory, lanes, ...files] = process.argv.slice(2);

/** Starts a sandbox on ports that are free; resolves with the variables it tells, once it answers. */
function sandbox(place) {
  rmSync(place, { recursive: true, force: true });
  mkdirSync(place, { recursive: true });
  const env = join(place, "env");
  const anywhere = ["--listen", "--page", "--control"].flatMap((name) => [name, "127.0.0.1:0"]);
  const child = spawn(program, [...anywhere, "--env", env], { stdio: ["ignore", "pipe", "pipe"] });
  const log = createWriteStream(join(place, "sandbox.log"));
  child.stderr.pipe(log);
  const variables = new Promise((resolve, reject) => {
    // Its greeting is its first word, when everything listens.
    child.stdout.once("data", () => resolve(Object.fromEntries(readFileSync(env, "utf8").trim().split("\n").map((line) => line.split(/=(.*)/s).slice(0, 2)))));
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`the sandbox ended with ${code}: ${join(place, "sandbox.log")}`)));
  });
  child.stdout.resume();
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const stop = () => {
    child.kill();
    return ended;
  };
  return { variables, stop };
}

/** How much of the sandbox's log is printed, in bytes. */
const LOG_END = 4000;

/** Runs one file; resolves with whether it passed and what it said. */
async function run(file) {
  const began = Date.now();
  const place = join(directory, basename(file, ".test.mjs"));
  const { variables, stop } = sandbox(place);
  const said = [];
  let passed = false;
  try {
    const env = { ...process.env, ...(await variables) };
    const test = spawn(process.execPath, ["--test", "--test-reporter=spec", file], { env, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [test.stdout, test.stderr]) stream.on("data", (part) => said.push(part));
    passed = (await new Promise((resolve) => test.once("close", resolve))) === 0;
  } catch (error) {
    said.push(Buffer.from(`${error.stack}\n`));
  }
  await stop();
  if (!passed) said.push(Buffer.from("--- the end of the sandbox's log\n"), readFileSync(join(place, "sandbox.log")).subarray(-LOG_END));
  said.push(Buffer.from(`=== ${basename(file)} ${Math.round((Date.now() - began) / 1000)} s\n\n`));
  return { passed, said: Buffer.concat(said) };
}

const failed = new Map();
const waiting = [...files];
async function lane() {
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
    const { passed, said } = await run(file);
    if (passed) process.stdout.write(said);
    else failed.set(basename(file), said);
  }
}
await Promise.all(Array.from({ length: Number(lanes) }, lane));
if (failed.size > 0) {
  for (const said of failed.values()) process.stdout.write(said);
  process.stdout.write(`failed: ${[...failed.keys()].join(", ")}\n`);
  process.exitCode = 1;
}
