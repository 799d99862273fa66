// Whether this node's kernel has WireGuard and ESP, found by trying in a namespace that is gone afterwards. Without, programs do the same
// in user space (wireguard-go, strongSwan's libipsec), slower.
import { tryRun } from '../../lib/run.ts';
import type { HelperContext } from './names.ts';

const ESP =
  'xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 257 mode tunnel ' +
  'enc cbc(aes) 0x000102030405060708090a0b0c0d0e0f auth hmac(sha256) 0x000102030405060708090a0b0c0d0e0f';

export async function probeKernel(): Promise<Pick<HelperContext, 'kernelWireGuard' | 'kernelIpsec'>> {
  const [kernelWireGuard, kernelIpsec] = await Promise.all(
    ['link add tl-wg type wireguard', ESP].map((words) => works(words.split(' '))),
  );
  return { kernelWireGuard: kernelWireGuard!, kernelIpsec: kernelIpsec! };
}

async function works(words: readonly string[]): Promise<boolean> {
  const done = await tryRun(['unshare', '--net', '--', 'ip', ...words], { timeoutMs: 5000 }).catch(() => undefined);
  return done?.code === 0;
}
