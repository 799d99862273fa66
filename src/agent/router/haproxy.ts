// haproxy on a router node: balancers of connections where the kernel has no IPVS, and of those that need more than the kernel can.
// Members see the router's address as the client's. Pure.
import type { RouterSpec } from '../../protocol/document.ts';
import { haproxyFile, listenLines } from '../haproxy.ts';
import type { RouterContext } from './names.ts';
import { byHaproxy } from './translation.ts';

/** The file; undefined without balancers. */
export function haproxyConf(
  specs: readonly RouterSpec[],
  context: RouterContext,
): ReturnType<typeof haproxyFile> | undefined {
  const sections = specs.flatMap((spec) =>
    spec.publicAddresses.flatMap(({ ip, balancers }) =>
      balancers
        .filter((one) => byHaproxy(one, context.ipvs))
        .flatMap((one) => listenLines(`${ip}:${one.publicPort}`, one)),
    ),
  );
  if (sections.length === 0) return undefined;
  return haproxyFile({
    socket: `${context.directory}/haproxy.sock`,
    dropRoot: context.canDropRoot,
    most: 50_000,
    sections,
  });
}
