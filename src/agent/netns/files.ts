// The files a guest's machine starts with: who it is, who may log in, which cards it has. Values come checked from the document
// (no line break, no colon gets here); written before each start.
import type { InstanceSpec, NicSpec } from '../../protocol/document.ts';

export interface GuestFile {
  /** Name in the folder the guest sees as /run/boot; all but cards and addresses are copied to /etc at each start. */
  readonly path: string;
  readonly content: string;
  readonly mode: number;
}

export function filesOf(spec: InstanceSpec): GuestFile[] {
  const cards = spec.nics.map(
    (nic) => `eth${nic.deviceId} ${nic.isDefault ? 'default' : 'other'} ${nic.dhcp === false ? 'none' : 'dhcp'}\n`,
  );
  const addresses = spec.nics.flatMap((nic) => furtherAddresses(nic).map((ip) => `eth${nic.deviceId} ${ip}\n`));
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
      content: `root:${spec.passwordHash === '' ? '*' : spec.passwordHash}:19700:0:99999:7:::\n`,
      mode: 0o600,
    },
    { path: 'shells', content: '/bin/sh\n', mode: 0o644 },
    { path: 'cards', content: cards.join(''), mode: 0o644 },
    { path: 'addresses', content: addresses.join(''), mode: 0o644 },
  ];
}

/** Addresses of a card besides its main one. */
export function furtherAddresses(nic: NicSpec): string[] {
  return (nic.addresses ?? []).slice(1).map(({ ip }) => ip);
}
