// What stands on a config drive: what an instance is told where no service of its network tells it. CloudStack's layout, which its images
// read, and OpenStack's, which cloud-init reads. Pure.
import type { InstanceSpec } from '../protocol/document.ts';

/** A file by its path on the drive. */
export interface DriveFile {
  readonly name: string;
  readonly content: string | Buffer;
}

/** How images find the drive (cloud-init: ConfigDrive; CloudStack's scripts). */
export const DRIVE_LABEL = 'config-2';

export function driveFiles(spec: InstanceSpec): DriveFile[] {
  const { firstBoot, id, hostname, nics } = spec;
  if (firstBoot === undefined) return [];
  const { zone, offering, publicKeys, userData, password } = firstBoot;
  const data = Buffer.from(userData ?? '', 'base64');
  const [address] = nics.find(({ isDefault }) => isDefault)?.addresses ?? [];
  const metadata: Readonly<Record<string, string>> = {
    'availability-zone': zone,
    'cloud-identifier': 'CloudStack-{trunkline}',
    'instance-id': id,
    'local-hostname': hostname,
    ...(address === undefined ? {} : { 'local-ipv4': address.ip }),
    'public-keys': publicKeys.join('\n'),
    'service-offering': offering,
    'vm-id': id,
  };
  return [
    ...Object.entries(metadata).map(([name, content]) => ({ name: `cloudstack/metadata/${name}.txt`, content })),
    ...(data.length === 0 ? [] : [{ name: 'cloudstack/userdata/user_data.txt', content: data }]),
    ...(password === undefined ? [] : [{ name: 'cloudstack/password/vm_password.txt', content: password.text }]),
    { name: 'openstack/latest/meta_data.json', content: `${JSON.stringify(openstack(spec))}\n` },
    { name: 'openstack/latest/network_data.json', content: `${JSON.stringify(networkData(spec))}\n` },
    { name: 'openstack/latest/vendor_data.json', content: '{}\n' },
    ...(data.length === 0 ? [] : [{ name: 'openstack/latest/user_data', content: data }]),
  ];
}

/** OpenStack's meta_data.json, as far as cloud-init looks at it. */
function openstack({ id, hostname, firstBoot }: InstanceSpec): unknown {
  const { zone = '', publicKeys = [], password } = firstBoot ?? {};
  return {
    uuid: id,
    name: hostname,
    hostname,
    'local-hostname': hostname,
    availability_zone: zone,
    public_keys: Object.fromEntries(publicKeys.map((key, index) => [`key-${index}`, key])),
    ...(password === undefined ? {} : { admin_pass: password.text }),
  };
}

/** OpenStack's network_data.json: every card by its MAC, asking for its address where somebody gives it one. */
function networkData({ nics }: InstanceSpec): unknown {
  return {
    links: nics.map(({ mac, deviceId, mtu }) => ({
      id: `eth${deviceId}`,
      type: 'phy',
      ethernet_mac_address: mac,
      mtu,
    })),
    networks: nics
      .filter(({ dhcp }) => dhcp !== false)
      .map(({ deviceId }) => ({ id: `network${deviceId}`, type: 'ipv4_dhcp', link: `eth${deviceId}` })),
    services: [],
  };
}
