// The agent's configuration file: where the server is, which OVS it serves, how instances are made. Checked here once, strictly,
// so that a mistyped key is said at start and not discovered by its having no effect.
import { readFileSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { parseIp } from '../lib/ip.ts';
import { nodeName, whatIsWrong } from '../protocol/schema.ts';

const path = z.string().refine(isAbsolute, 'is to be an absolute path');

const schema = z.strictObject({
  /** The node's name: its certificate's common name and OVN's system-id. */
  node: nodeName,
  server: z.string().regex(/^(unix:\/.+|https:\/\/[^/]+:[0-9]{1,5})$/, 'is to be unix:PATH or https://HOST:PORT'),
  /** Folder of the key, the certificate, the last document and the log of steps. */
  state: path,
  /** Where the operator puts the join token. */
  tokenFile: path,
  ovs: z.strictObject({
    database: z.string().regex(/^unix:\/.+$/, 'is to be unix:PATH'),
    /** Folder of ovs-vswitchd's control socket (vs.ctl, or ovs-vswitchd.PID.ctl) and of the bridges' management sockets. */
    rundir: path,
  }),
  underlay: z.strictObject({
    /** The bridge (userspace datapaths) or interface that carries the tunnels' address. */
    device: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$/, 'is no interface name'),
    ip: z.string().refine((text) => parseIp(text) !== undefined, 'is no IPv4 address'),
  }),
  datapath: z.enum(['netdev', 'system', 'dummy']),
  instances: z.discriminatedUnion('driver', [
    z.strictObject({
      driver: z.literal('netns'),
      /** Where instances' files live; agents whose nodes share a machine share it. */
      directory: path,
    }),
  ]),
});

export type AgentConfig = z.infer<typeof schema>;

/** Reads and checks the file. Throws a sentence that names the file and the first thing wrong. */
export function readConfig(file: string): AgentConfig {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Error(`cannot read the agent's configuration ${file}: ${(error as Error).message}`, { cause: error });
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new Error(`the agent's configuration ${file} is wrong: ${whatIsWrong(parsed.error)}`);
  return parsed.data;
}
