// Whether this node can serve each kind of VPN, by the programs and plugins that are there; where not, which package brings what is
// missing. Apart from ability.ts since it is looked at again when somebody has installed one.
import { access, constants } from 'node:fs/promises';
import type { VpnSpec } from '../../protocol/vpn.ts';
import { probeKernel } from './vpn-kernel.ts';

export const VPN_ABILITIES = ['openvpn', 'wireguard', 'ipsec'] as const;
export type VpnAbility = (typeof VPN_ABILITIES)[number];

/** What is not there, by name: a sentence with what to install. */
export type VpnLacks = Readonly<Partial<Record<VpnAbility, string>>>;

/** What a VPN needs the node to be able to do. */
export function abilityOf({ kind }: VpnSpec): VpnAbility {
  if (kind === 'openvpn') return 'openvpn';
  return kind === 'wireguard' || kind === 'wireguard-site' ? 'wireguard' : 'ipsec';
}

/** What is looked for: a path, or a program anywhere in PATH; and what brings it. */
type Need = readonly [file: string, remedy: string];

const TUN: Need = ['/dev/net/tun', 'modprobe tun'];
/** Where distributions have strongSwan's plugins; none of them: nobody can tell, and strongSwan itself says what it misses. */
const PLUGINS = ['/usr/lib/ipsec/plugins', '/usr/lib64/strongswan/plugins', '/usr/lib/strongswan/plugins'];

/** True of what the node can do, for its abilities; `search`: folders of programs. */
export async function readVpnAbilities(
  search: readonly string[] = searchPath(),
): Promise<Readonly<Record<VpnAbility, true | string>>> {
  const lacks = await readVpnLacks(await probeKernel(), search);
  return { openvpn: lacks.openvpn ?? true, wireguard: lacks.wireguard ?? true, ipsec: lacks.ipsec ?? true };
}

/** What VPNs cannot be served and why; `kernel` as {@link probeKernel} says it. Needs some milliseconds. */
export async function readVpnLacks(
  { kernelWireGuard, kernelIpsec }: Awaited<ReturnType<typeof probeKernel>>,
  search: readonly string[] = searchPath(),
): Promise<VpnLacks> {
  const needs: Readonly<Record<VpnAbility, readonly Need[]>> = {
    openvpn: [['openvpn', install('openvpn')], TUN],
    wireguard: [
      ['wg', install('wireguard-tools')],
      ...(kernelWireGuard
        ? []
        : [['wireguard-go', `modprobe wireguard, or ${install('wireguard-go')}`] satisfies Need, TUN]),
    ],
    ipsec: [
      ['charon-systemd', install('charon-systemd')],
      ['swanctl', install('strongswan-swanctl')],
      ...(await pluginNeeds(kernelIpsec)),
      ...(kernelIpsec ? [] : [TUN]),
    ],
  };
  const found = await Promise.all(
    VPN_ABILITIES.map(async (name) => {
      const missing: Need[] = [];
      for (const need of needs[name]) if (!(await isThere(need[0], search))) missing.push(need);
      return missing.length === 0 ? [] : [[name, sentence(name, missing)] as const];
    }),
  );
  return Object.fromEntries(found.flat());
}

const SERVES: Readonly<Record<VpnAbility, string>> = {
  openvpn: 'OpenVPN',
  wireguard: 'WireGuard',
  ipsec: 'IPsec (IKEv2 clients, sites)',
};

function sentence(name: VpnAbility, missing: readonly Need[]): string {
  const words = missing.map(([file, remedy]) => `${file} (${remedy})`).join(', ');
  return `this node cannot serve ${SERVES[name]} without ${words}`;
}

function install(name: string): string {
  return `apt-get install --no-install-recommends ${name}`;
}

async function pluginNeeds(kernelIpsec: boolean): Promise<readonly Need[]> {
  for (const folder of PLUGINS) {
    if (!(await isThere(folder, []))) continue;
    const plugin = (name: string, of: string): Need => [`${folder}/libstrongswan-${name}.so`, install(of)];
    return [
      plugin('openssl', 'libstrongswan-standard-plugins'),
      plugin('eap-identity', 'libcharon-extra-plugins'),
      plugin('eap-mschapv2', 'libcharon-extauth-plugins'),
      ...(kernelIpsec ? [] : [plugin('kernel-libipsec', 'libcharon-extra-plugins')]),
    ];
  }
  return [];
}

async function isThere(file: string, search: readonly string[]): Promise<boolean> {
  const program = !file.startsWith('/');
  for (const path of program ? search.map((folder) => `${folder}/${file}`) : [file])
    if (await canRead(path, program ? constants.X_OK : constants.F_OK)) return true;
  return false;
}

function canRead(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}

function searchPath(): readonly string[] {
  return (process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin').split(':').filter((folder) => folder !== '');
}
