// What an instance learns about itself at its first start, as a disk: where nobody else tells it, cloud-init's NoCloud form, which nearly
// all images know; a config drive where its network's offering says so. And a list of cards for the small guest. A disk and not the
// kernel's command line: that one everybody on the node sees.
import type { InstanceSpec } from '../../protocol/document.ts';
import { DRIVE_LABEL, driveFiles } from '../config-drive.ts';
import { isoImage } from './iso.ts';

/**
 * The image. Values come checked from the document: no quote and no line break gets here. `asks`: the guest can ask its network's
 * service. One that asks and found cidata, too, would look no further, so its disk has another name.
 */
export function seedOf(spec: InstanceSpec, asks: boolean): Buffer {
  const toldBy = spec.firstBoot?.toldBy;
  const own = { name: 'cards', content: cards(spec) };
  if (toldBy === 'drive') return isoImage(DRIVE_LABEL, [own, ...driveFiles(spec), ...(asks ? [] : noCloud(spec))]);
  if (toldBy === 'service' && asks) return isoImage('trunkline', [own]);
  return isoImage('cidata', [...noCloud(spec), own]);
}

function noCloud(spec: InstanceSpec): { name: string; content: string }[] {
  return [
    { name: 'meta-data', content: `instance-id: ${spec.id}\nlocal-hostname: ${spec.hostname}\n` },
    { name: 'user-data', content: userData(spec) },
    { name: 'network-config', content: networkConfig(spec) },
  ];
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
