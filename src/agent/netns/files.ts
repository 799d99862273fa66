// The files a guest's machine starts with: who it is, who may log in, which cards it has. Values come checked from the document
// (no line break, no colon gets here); written before each start.
import type { InstanceSpec, NicSpec } from '../../protocol/document.ts';
import { driveFiles } from '../config-drive.ts';

export interface GuestFile {
  /** Name in the folder the guest sees as /run/boot; those of the machine's description are copied to /etc at each start. */
  readonly path: string;
  readonly content: string | Buffer;
  readonly mode: number;
}

/** Whether the guest gets its password by asking: then nothing of it is put into its files. */
export function asksPassword({ firstBoot }: InstanceSpec): boolean {
  return firstBoot?.asksPassword === true && firstBoot.toldBy !== 'hypervisor';
}

export function filesOf(spec: InstanceSpec): GuestFile[] {
  return [...machineFiles(spec), ...listsOf(spec)];
}

/** What changes while the guest runs: its cards, and their further addresses. */
export function listsOf(spec: InstanceSpec): (GuestFile & { readonly content: string })[] {
  const cards = spec.nics.map(
    ({ deviceId, isDefault, dhcp, six }) =>
      `eth${deviceId} ${isDefault ? 'default' : 'other'} ${dhcp === false ? 'none' : 'dhcp'}${six === undefined ? '' : ` ${six.address}`}\n`,
  );
  const addresses = spec.nics.flatMap((nic) => furtherAddresses(nic).map((ip) => `eth${nic.deviceId} ${ip}\n`));
  return [
    { path: 'cards', content: cards.join(''), mode: 0o644 },
    { path: 'addresses', content: addresses.join(''), mode: 0o644 },
  ];
}

function machineFiles(spec: InstanceSpec): GuestFile[] {
  return [
    { path: 'hostname', content: `${spec.hostname}\n`, mode: 0o644 },
    { path: 'hosts', content: `127.0.0.1 localhost\n127.0.1.1 ${spec.hostname}\n`, mode: 0o644 },
    {
      path: 'passwd',
      content: 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n',
      mode: 0o644,
    },
    { path: 'group', content: 'root:x:0:\nnogroup:x:65534:\n', mode: 0o644 },
    // An empty hash would let anybody in: it locks.
    {
      path: 'shadow',
      content: `root:${spec.passwordHash === '' || asksPassword(spec) ? '*' : spec.passwordHash}:19700:0:99999:7:::\n`,
      mode: 0o600,
    },
    { path: 'shells', content: '/bin/sh\n', mode: 0o644 },
    { path: 'told', content: `${spec.firstBoot?.toldBy ?? 'hypervisor'}\n`, mode: 0o644 },
    ...(asksPassword(spec) ? [{ path: 'asks-password', content: '', mode: 0o644 }] : []),
    ...driveOf(spec),
  ];
}

/** The config drive as a folder. */
function driveOf(spec: InstanceSpec): GuestFile[] {
  if (spec.firstBoot?.toldBy !== 'drive') return [];
  const turn = spec.firstBoot.password?.turn;
  return [
    ...driveFiles(spec).map(({ name, content }) => ({ path: `drive/${name}`, content, mode: 0o600 })),
    ...(turn === undefined ? [] : [{ path: 'turn', content: `${turn}\n`, mode: 0o644 }]),
  ];
}

/** What the guest leaves in /run when it has taken the password of its drive. */
export function takenMark(turn: number): string {
  return `took.${turn}`;
}

/** Addresses of a card besides its main one. */
export function furtherAddresses(nic: NicSpec): string[] {
  return (nic.addresses ?? []).slice(1).map(({ ip }) => ip);
}
