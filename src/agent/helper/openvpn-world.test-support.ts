// An OpenVPN server with its authority, and clients with the files that people get.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../lib/run.ts';
import type { VpnJob } from '../../protocol/helper.ts';
import type { OpenVpnSpec } from '../../protocol/vpn.ts';
import { hashOf, HELPER_IP, type Issued, SERVER, uuid, type VpnWorld } from './vpn-world.test-support.ts';

export type OpenVpnClient = OpenVpnSpec['clients'][number];

export interface OpenVpnWorld {
  job(clients: readonly OpenVpnClient[], routes?: readonly string[]): VpnJob;
  /** A certificate for the client `id` and what the server knows of it. */
  client(id: string, more: Pick<OpenVpnClient, 'username' | 'ip' | 'routes'>): Promise<OpenVpnClient>;
  /** Starts the client with this password; its number. */
  start(client: OpenVpnClient, password: string): Promise<number>;
  /** What that client has said. */
  log(client: OpenVpnClient): Promise<string>;
}

export const PASSWORD = 'secret word';

export async function createOpenVpn(world: VpnWorld): Promise<OpenVpnWorld> {
  const { home } = world;
  const { ca, issue } = await world.authority();
  const server = await issue('server', 'extendedKeyUsage=serverAuth');
  const issued = new Map<string, Issued>();
  await run(['openvpn', '--genkey', 'tls-crypt', join(home, 'tc.key')]);
  const tlsCrypt = await readFile(join(home, 'tc.key'), 'utf8');
  const passwordHash = hashOf(PASSWORD);
  const file = (client: OpenVpnClient, name: string): string => join(home, `${client.username}.${name}`);
  return {
    job: (clients, routes = ['10.1.1.0/24']) => ({
      address: HELPER_IP,
      spec: {
        kind: 'openvpn',
        id: uuid(10),
        port: 1194,
        publicIp: SERVER,
        range: '10.8.0.0/24',
        routes,
        dns: [],
        ca,
        certificate: server.certificate,
        key: server.key,
        tlsCrypt,
        clients,
      },
    }),
    async client(id, more) {
      const own = await issue(id, 'extendedKeyUsage=clientAuth');
      issued.set(`${id} ${own.serial}`, own);
      return { id, ...more, passwordHash, serial: own.serial };
    },
    async start(client, password) {
      const own = issued.get(`${client.id} ${client.serial}`)!;
      await writeFile(file(client, 'auth'), `${client.username}\n${password}\n`);
      const conf = [
        'client',
        `dev tun${client.username}`,
        'dev-type tun',
        'proto udp',
        `remote ${SERVER} 1194`,
        'nobind',
        'remote-cert-tls server',
        'connect-retry 1 1',
        'disable-dco',
        `auth-user-pass ${file(client, 'auth')}`,
        `log ${file(client, 'log')}`,
        'verb 3',
        `<ca>\n${ca}</ca>`,
        `<cert>\n${own.certificate}</cert>`,
        `<key>\n${own.key}</key>`,
        `<tls-crypt>\n${tlsCrypt}</tls-crypt>`,
        '',
      ];
      await writeFile(file(client, 'conf'), conf.join('\n'));
      return world.launch(['openvpn', '--config', file(client, 'conf')]);
    },
    log: (client) => readFile(file(client, 'log'), 'utf8').catch(() => ''),
  };
}
