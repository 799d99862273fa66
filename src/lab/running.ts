// Which lab runs in a state folder, if any.
import { labPaths, readJson, type SandboxFile } from './layout.ts';
import { isAlive } from './proc.ts';

/** The sandbox that runs in a state folder, if any. */
export function runningSandbox(state: string): SandboxFile | undefined {
  const sandbox = readJson<SandboxFile>(labPaths(state).sandbox);
  return sandbox !== undefined && isAlive(sandbox.pid, sandbox.started) ? sandbox : undefined;
}

/** What is said to who asks for a lab where none runs. */
export function noLabIn(state: string): Error {
  return new Error(`no lab runs in ${state}; start one with ./demo, or name its state folder with --state`);
}
