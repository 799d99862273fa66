// A WireGuard server with its keys, and a client with the file that people get.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../lib/run.ts';
import type { VpnJob } from '../../protocol/helper.ts';
import type { WireGuardAccessSpec } from '../../protocol/vpn.ts';
import { HELPER_IP, SERVER, uuid, type VpnWorld } from './vpn-world.test-support.ts';

export type WireGuardClient = WireGuardAccessSpec['clients'][number];

export interface WireGuardWorld {
  job(clients: readonly WireGuardClient[]): VpnJob;
  client(id: string, ip: string, routes: readonly string[]): Promise<WireGuardClient>;
  /** Makes the client's device, which sends `networks` into the tunnel. */
  start(client: WireGuardClient, networks: readonly string[]): Promise<void>;
}

export async function createWireGuard(world: VpnWorld): Promise<WireGuardWorld> {
  const { inClient } = world;
  const secrets = new Map<string, string>();
  const keys = async (): Promise<{ readonly secret: string; readonly open: string }> => {
    const secret = (await run(['wg', 'genkey'])).stdout.trim();
    return { secret, open: (await run(['wg', 'pubkey'], { input: secret })).stdout.trim() };
  };
  const server = await keys();
  return {
    job: (clients) => ({
      address: HELPER_IP,
      spec: {
        kind: 'wireguard',
        id: uuid(11),
        port: 51820,
        publicIp: SERVER,
        range: '10.8.1.0/24',
        routes: ['10.1.1.0/24'],
        dns: [],
        privateKey: server.secret,
        clients,
      },
    }),
    async client(id, ip, routes) {
      const { secret, open } = await keys();
      secrets.set(id, secret);
      return { id, ip, routes, publicKey: open };
    },
    async start({ id, ip }, networks) {
      const device = `vx${world.key}`;
      world.launch(['wireguard-go', '--foreground', device], { WG_PROCESS_FOREGROUND: '1' });
      await world.until('the client has a device', async () => (await inClient('wg', 'show', device)).code === 0);
      const file = join(world.home, 'wg.conf');
      const peer = `[Peer]\nPublicKey = ${server.open}\nEndpoint = ${SERVER}:51820\nAllowedIPs = ${networks.join(', ')}\n`;
      await writeFile(file, `[Interface]\nPrivateKey = ${secrets.get(id)}\n${peer}`);
      await inClient('wg', 'setconf', device, file);
      await inClient('ip', 'addr', 'add', `${ip}/32`, 'dev', device);
      await inClient('ip', 'link', 'set', device, 'mtu', '1360', 'up');
      for (const one of networks) await inClient('ip', 'route', 'replace', one, 'dev', device);
    },
  };
}
