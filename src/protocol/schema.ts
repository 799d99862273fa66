// What the documents and reports must look like, checked where they enter: the agent checks what the server sends (these texts end
// up in argument lists and files of a node), the server checks what nodes send. Unknown keys are dropped: server and agents are not upgraded at the same moment.
import { z } from 'zod';
import { isUuid } from '../lib/id.ts';
import { parseIp } from '../lib/ip.ts';
import type { JoinAnswer, JoinRequest, NodeDocument, NodeReport } from './document.ts';

const id = z.string().refine(isUuid, 'is no id (lower-case UUID)');
const ip4 = z.string().refine((text) => parseIp(text) !== undefined, 'is no IPv4 address');
const generation = z.int().min(0);
const text = z.string().max(4000);

/** A node's name: what a certificate's common name may be; also OVN's system-id. */
export const nodeName = z
  .string()
  .regex(/^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/, 'is no node name (letters, digits, dashes; at most 63)');

/** Any crypt(3) hash, or an entry nobody can log in with. Neither a colon nor a line break gets into a shadow file. */
const passwordHash = z.string().regex(/^[!*A-Za-z0-9./$=,_-]{0,300}$/, 'is no password hash');

const nic = z.object({
  id,
  mac: z.string().regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/, 'is no MAC address'),
  deviceId: z.int().min(0).max(99),
  isDefault: z.boolean(),
  mtu: z.int().min(68).max(65535),
  dhcp: z.boolean().exactOptional(),
});

const instance = z.object({
  id,
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$/, 'is no instance name'),
  hostname: z.string().regex(/^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/, 'is no host name'),
  power: z.enum(['running', 'stopped']),
  boot: z.int().min(0),
  passwordHash,
  cpus: z.int().min(1).max(1024),
  memoryMb: z.int().min(1),
  nics: z.array(nic).max(100),
});

export const nodeDocument: z.ZodType<NodeDocument> = z.object({
  node: nodeName,
  generation,
  instances: z.array(instance).max(10_000),
  peers: z.array(z.object({ name: nodeName, underlayIp: ip4 })).max(10_000),
});

export const nodeReport: z.ZodType<NodeReport> = z.object({
  node: nodeName,
  generation,
  error: text.exactOptional(),
  instances: z
    .array(
      z.object({ id, power: z.enum(['running', 'stopped']), error: text.exactOptional(), note: text.exactOptional() }),
    )
    .max(10_000),
  facts: z.object({
    hostname: text,
    underlayIp: ip4,
    cpus: z.int().min(0),
    memoryMb: z.int().min(0),
    ovs: text,
    ovn: text,
    kernel: text,
    version: text,
  }),
});

const pem = z.string().max(20_000);

export const joinRequest: z.ZodType<JoinRequest> = z.object({
  node: nodeName,
  secret: z.string().min(1).max(500),
  csr: pem,
});
export const joinAnswer: z.ZodType<JoinAnswer> = z.object({ certificate: pem, ca: pem });

/** The first thing wrong with a value, as `instances.0.hostname is no host name`. */
export function whatIsWrong(error: z.ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined) return 'it has the wrong form';
  const at = issue.path.map(String).join('.');
  return at === '' ? issue.message : `${at}: ${issue.message}`;
}
