// What an instance learns about itself at its first start, as a disk labelled `cidata`: cloud-init's NoCloud form, which nearly all
// images know, and a list of cards for the small guest. A disk and not the kernel's command line: that one everybody on the node sees.
import type { InstanceSpec } from '../../protocol/document.ts';
import { isoImage } from './iso.ts';

/** The image. Values come checked from the document: no quote and no line break gets here. */
export function seedOf(spec: InstanceSpec): Buffer {
  return isoImage('cidata', [
    { name: 'meta-data', content: `instance-id: ${spec.id}\nlocal-hostname: ${spec.hostname}\n` },
    { name: 'user-data', content: userData(spec) },
    { name: 'network-config', content: networkConfig(spec) },
    { name: 'cards', content: cards(spec) },
  ]);
}

function userData({ passwordHash }: InstanceSpec): string {
  // An empty hash would let anybody in: then there is no password at all.
  const login =
    passwordHash === ''
      ? ''
      : `ssh_pwauth: true\ndisable_root: false\nusers:\n  - name: root\n    lock_passwd: false\n    hashed_passwd: '${passwordHash}'\n`;
  return `#cloud-config\n${login}`;
}

/** cloud-init's network configuration, version 2: a card by its MAC address, and only the default one leads everywhere. */
function networkConfig({ nics }: InstanceSpec): string {
  const ethernets = nics.map(
    ({ mac, deviceId, isDefault, dhcp }) =>
      `  eth${deviceId}:\n    match:\n      macaddress: '${mac}'\n    dhcp4: ${dhcp !== false}\n` +
      (isDefault ? '' : '    dhcp4-overrides:\n      use-routes: false\n      use-dns: false\n'),
  );
  return `version: 2\n${nics.length === 0 ? '' : `ethernets:\n${ethernets.join('')}`}`;
}

function cards({ nics }: InstanceSpec): string {
  return nics
    .map(
      ({ mac, isDefault, dhcp }) => `${mac} ${isDefault ? 'default' : 'other'} ${dhcp === false ? 'none' : 'dhcp'}\n`,
    )
    .join('');
}
