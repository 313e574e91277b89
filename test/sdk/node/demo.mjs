// Starts a kagiban server for the tests: the one that KAGIBAN_ENV_FILE names,
// or a fresh `kagiban dev` from the binary that KAGIBAN_BIN names.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

const readyMilliseconds = 60_000;

/** Parses KEY=VALUE lines: no quoting, no expansion. */
export function parseEnv(text) {
  const env = {};
  for (const line of text.split(/\r?\n/)) {
    if (line === '' || line.startsWith('#')) continue;
    const at = line.indexOf('=');
    if (at < 1) throw new Error(`not KEY=VALUE: ${line}`);
    env[line.slice(0, at)] = line.slice(at + 1);
  }
  return env;
}

/** Returns { env, stop }; stop ends only the server that this call started. */
export async function startDemo() {
  if (process.env.KAGIBAN_ENV_FILE) {
    const env = parseEnv(await readFile(process.env.KAGIBAN_ENV_FILE, 'utf8'));
    return { env, stop: async () => {} };
  }
  const binary = process.env.KAGIBAN_BIN;
  if (!binary) throw new Error('set KAGIBAN_ENV_FILE to a running server\'s file, or KAGIBAN_BIN to the binary');
  const dir = await mkdtemp(join(tmpdir(), 'kagiban-node-'));
  const file = join(dir, 'demo.env');
  const clean = Object.fromEntries(Object.entries(process.env).filter(([k]) => !k.startsWith('KAGIBAN_')));
  const child = spawn(binary, ['dev', '--listen', await freeAddress(), '--env-file', file], { cwd: dir, env: clean });
  let log = '';
  child.stdout.on('data', (d) => { log += d; });
  child.stderr.on('data', (d) => { log += d; });
  let ended = null;
  const exit = new Promise((resolve) => {
    child.on('exit', (code, signal) => { ended = signal ?? code; resolve(); });
    child.on('error', (err) => { ended = err.message; resolve(); });
  });
  const stop = async () => {
    if (ended === null) {
      child.kill('SIGTERM');
      const insist = setTimeout(() => child.kill('SIGKILL'), 5000);
      await exit;
      clearTimeout(insist);
    }
    await rm(dir, { recursive: true, force: true });
    const crash = log.match(/(WARNING: DATA RACE|fatal error: |panic: )[^]*/);
    if (crash) throw new Error(`the server is broken: ${crash[0]}`);
  };
  try {
    const deadline = Date.now() + readyMilliseconds;
    for (;;) {
      if (ended !== null) throw new Error(`kagiban dev ended (${ended}):\n${log}`);
      const text = await readFile(file, 'utf8').catch(() => null); // not there yet
      if (text !== null) return { env: parseEnv(text), stop };
      if (Date.now() > deadline) throw new Error(`kagiban dev wrote no environment file:\n${log}`);
      await wait(5);
    }
  } catch (err) {
    await stop();
    throw err;
  }
}

function freeAddress() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(`127.0.0.1:${port}`));
    });
  });
}
