// What a node says of VPNs it cannot serve: the program and the package by name, to the operator and to whoever made the VPN.
import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { HelperSpec } from '../../protocol/helper.ts';
import type { VpnSpec } from '../../protocol/vpn.ts';
import type { HelperContext } from './names.ts';
import { planVpns } from './vpn.ts';
import { abilityOf, readVpnLacks, VPN_ABILITIES } from './vpn-ability.ts';
import { NO_VPNS } from './vpn-part.ts';
import { vpnStatuses } from './vpn-read.ts';

const NOTHING = { kernelWireGuard: false, kernelIpsec: false };

test('readVpnLacks() names each program that is not there, and the package that brings it', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'ability-'));
  t.after(() => rm(folder, { recursive: true }));
  const none = await readVpnLacks(NOTHING, [folder]);
  assert.deepEqual(Object.keys(none).toSorted(), [...VPN_ABILITIES].toSorted());
  assert.match(none.openvpn ?? '', /^this node cannot serve OpenVPN without openvpn \(apt-get install .* openvpn\)/);
  assert.match(
    none.wireguard ?? '',
    /wg \(apt-get install .* wireguard-tools\), wireguard-go \(modprobe wireguard, or /,
  );
  assert.match(
    none.ipsec ?? '',
    /charon-systemd \(apt-get .* charon-systemd\), swanctl \(apt-get .* strongswan-swanctl\)/,
  );

  await writeFile(join(folder, 'wg'), '');
  assert.match((await readVpnLacks({ ...NOTHING, kernelWireGuard: true }, [folder])).wireguard ?? '', /without wg /);
  await chmod(join(folder, 'wg'), 0o755);
  const { wireguard } = await readVpnLacks({ ...NOTHING, kernelWireGuard: true }, ['/none', folder]);
  assert.equal(wireguard, undefined, 'the kernel does the rest');
});

test('planVpns() serves what it can and says of the others what they wait for', () => {
  const site = (id: string, kind: 'wireguard-site' | 'ipsec'): VpnSpec =>
    ({
      kind,
      id,
      epoch: 0,
      local: '203.0.113.10',
      peer: '198.51.100.10',
      localCidrs: ['10.1.0.0/16'],
      remoteCidrs: ['192.168.50.0/24'],
      passive: false,
      ...(kind === 'ipsec'
        ? { psk: 'x', ikeVersion: 2, ikeProposals: ['aes256-sha256-modp2048'], espProposals: ['aes256-sha256'] }
        : { port: 51820, privateKey: 'A', publicKey: 'B', peerPort: 51820 }),
    }) as VpnSpec;
  const [one, two] = [
    site('10000000-0000-4000-8000-000000000001', 'wireguard-site'),
    site('10000000-0000-4000-8000-000000000002', 'ipsec'),
  ];
  assert.deepEqual([abilityOf(one), abilityOf(two)], ['wireguard', 'ipsec']);
  const spec: HelperSpec = {
    id: '10000000-0000-4000-8000-000000000000',
    name: 'shop',
    port: 'p',
    follows: 'lrp',
    mac: '02:00:00:00:00:01',
    address: '192.0.0.18/29',
    gateway: '192.0.0.17',
    mtu: 1442,
    jobs: { vpns: [one, two].map((each) => ({ address: '192.0.0.18', spec: each })) },
  };
  const ipsec = 'this node cannot serve IPsec without charon-systemd (apt-get install charon-systemd)';
  const context: HelperContext = {
    node: 'gw1',
    database: 'unix:/db',
    directory: '/h',
    userspace: false,
    canDropRoot: true,
    ...NOTHING,
    vpnLacks: { ipsec },
  };
  const { steps, waits } = planVpns(spec, NO_VPNS, true, 1, context);
  assert.ok(steps.some((step) => step.kind === 'launch' && step.argv.includes('wireguard-go')));
  assert.ok(!JSON.stringify(steps).includes('charon-systemd'), 'nothing is tried that cannot be');
  assert.deepEqual(waits, [{ target: spec.id, what: ipsec }]);
  const [, told] = vpnStatuses(spec, undefined, true, 0, context);
  assert.deepEqual(told, { id: two.id, state: 'Error', reason: ipsec });
  // Where the router is not, nothing lacks.
  assert.deepEqual(planVpns(spec, NO_VPNS, false, 1, context).waits, []);
});
