// What a node would refuse is not sent to it: one thing out of shape would keep it from taking anything else of its document. So each
// thing is looked at by the rules the node goes by; what does not pass is left as it was there, and whoever waits for it is told.
import type { z } from 'zod';
import type { NodeDocument } from '../protocol/document.ts';
import { documentParts, whatIsWrong } from '../protocol/schema.ts';

type Body = Omit<NodeDocument, 'node' | 'generation'>;

/** A body that its node takes, and by id what in it is not as it was meant, and why. */
export interface Publishable {
  readonly body: Body;
  readonly faults: ReadonlyMap<string, string>;
}

/**
 * The body without what its node would refuse. Of an instance only what its guest is told at its start is left out where that is enough;
 * otherwise each thing stays as in `before`, the document the node has, or is left out where it was not in that.
 */
export function publishable(node: string, body: Body, before: Body | undefined): Publishable {
  const faults = new Map<string, string>();
  const fit = <T extends { readonly id: string }>(
    what: string,
    schema: z.ZodType,
    specs: readonly T[],
    stood: readonly T[] = [],
    lesser?: (spec: T) => T,
  ): readonly T[] => {
    const kept = specs.flatMap((spec) => {
      const { error } = schema.safeParse(spec);
      if (error === undefined) return [spec];
      faults.set(spec.id, `node ${node} would refuse ${what} ${spec.id} in its document: ${whatIsWrong(error)}`);
      const less = lesser?.(spec);
      if (less !== undefined && schema.safeParse(less).success) return [less];
      return stood.filter(({ id }) => id === spec.id);
    });
    return faults.size === 0 ? specs : kept;
  };
  const { instances, routers, helpers, ...rest } = body;
  const untold = (spec: Body['instances'][number]): Body['instances'][number] => {
    const { firstBoot: _, ...bare } = spec;
    return bare;
  };
  return {
    body: {
      ...rest,
      instances: fit('instance', documentParts.instance, instances, before?.instances, untold),
      ...(routers === undefined ? {} : { routers: fit('the router', documentParts.router, routers, before?.routers) }),
      ...(helpers === undefined
        ? {}
        : { helpers: fit('the gateway helper', documentParts.helper, helpers, before?.helpers) }),
    },
    faults,
  };
}
