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
  const fit = <T extends object>(
    { what, schema, key }: Part<T>,
    specs: readonly T[],
    stood: readonly T[] = [],
    lesser?: (spec: T) => T,
  ): readonly T[] => {
    let whole = true;
    const kept = specs.flatMap((spec) => {
      const wrong = wrongWith(spec, schema);
      if (wrong === undefined) return [spec];
      whole = false;
      faults.set(key(spec), `node ${node} would refuse ${what} ${key(spec)} in its document: ${wrong}`);
      const less = lesser?.(spec);
      if (less !== undefined && wrongWith(less, schema) === undefined) return [less];
      return stood.filter((one) => key(one) === key(spec));
    });
    return whole ? specs : kept;
  };
  const { instances, peers, routers, services, scans, helpers } = body;
  return {
    body: {
      ...body,
      instances: fit(INSTANCE, instances, before?.instances, untold),
      peers: fit(PEER, peers, before?.peers),
      ...(routers === undefined ? {} : { routers: fit(ROUTER, routers, before?.routers) }),
      ...(services === undefined
        ? {}
        : {
            services: {
              networks: fit(SERVICE, services.networks, before?.services?.networks),
              scopes: fit(SCOPE, services.scopes, before?.services?.scopes),
            },
          }),
      ...(scans === undefined ? {} : { scans: fit(SCAN, scans, before?.scans) }),
      ...(helpers === undefined ? {} : { helpers: fit(HELPER, helpers, before?.helpers) }),
    },
    faults,
  };
}

/** What was found wrong with a thing: the names of a VPC, long as they may be, are the same object for every node that knows them. */
const looked = new WeakMap<object, string | undefined>();

function wrongWith(spec: object, schema: z.ZodType): string | undefined {
  if (looked.has(spec)) return looked.get(spec);
  const { error } = schema.safeParse(spec);
  const wrong = error === undefined ? undefined : whatIsWrong(error);
  looked.set(spec, wrong);
  return wrong;
}

/** A kind of thing in a document: what it is called, what it must look like, what it goes by. */
interface Part<T> {
  readonly what: string;
  readonly schema: z.ZodType;
  readonly key: (spec: T) => string;
}

const byId = ({ id }: { readonly id: string }): string => id;
const INSTANCE = { what: 'instance', schema: documentParts.instance, key: byId };
const PEER = {
  what: 'the neighbour',
  schema: documentParts.peer,
  key: ({ name }: { readonly name: string }): string => name,
};
const ROUTER = { what: 'the router', schema: documentParts.router, key: byId };
const SERVICE = { what: 'the services of network', schema: documentParts.service, key: byId };
const SCOPE = { what: 'the names of', schema: documentParts.scope, key: byId };
const SCAN = { what: 'scan', schema: documentParts.scan, key: byId };
const HELPER = { what: 'the gateway helper', schema: documentParts.helper, key: byId };

function untold(spec: Body['instances'][number]): Body['instances'][number] {
  const { firstBoot: _, ...bare } = spec;
  return bare;
}
