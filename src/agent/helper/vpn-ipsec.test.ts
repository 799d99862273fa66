// IPsec's part on paper: a site with a tunnel for each pair of networks begins all of them, at first and again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IpsecSiteSpec } from '../../protocol/vpn.ts';
import type { HelperContext } from './names.ts';
import { beginArgvs, ipsecPart } from './vpn-ipsec.ts';

const CONTEXT = { node: 'gw1', directory: '/h', kernelIpsec: false } as HelperContext;
const site = (split: boolean): IpsecSiteSpec => ({
  kind: 'ipsec',
  id: 'site',
  epoch: 0,
  local: '203.0.113.10',
  peer: '198.51.100.9',
  localCidrs: ['10.1.0.0/16'],
  remoteCidrs: ['192.168.50.0/24', '192.168.60.0/24'],
  passive: false,
  psk: 'Secret{}#',
  ikeVersion: 2,
  ikeProposals: ['aes256-sha256-modp2048'],
  espProposals: ['aes256-sha256'],
  ikeSeconds: 3600,
  espSeconds: 600,
  dpd: true,
  forceEncap: false,
  split,
});

test('beginArgvs() begins every tunnel that the file has', () => {
  for (const split of [false, true]) {
    const part = ipsecPart([{ address: '192.0.0.18', spec: site(split) }], { key: 'k', mtu: 1442 }, CONTEXT)!;
    const text = part.files.find(({ path }) => path.endsWith('/swanctl.conf'))!.content;
    const children = [...text.matchAll(/^ {6}(n[0-9]+) \{$/gm)].map(([, name]) => name);
    assert.equal(children.length, split ? 2 : 1);
    assert.deepEqual(
      beginArgvs(site(split), 'k', CONTEXT).map((argv) => argv[argv.indexOf('--child') + 1]),
      children,
    );
    assert.doesNotMatch(text, /Secret/, 'a secret is bytes, and cannot end its line');
  }
});
