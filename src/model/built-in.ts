// Ids of what every cloud has from its first start. They follow from the names, so that code and tests can name them
// without asking, and so that a second start finds what the first one made.
import { derivedId } from '../lib/id.ts';

export const BUILT_IN = {
  rootDomain: derivedId('builtin/domain/ROOT'),
  adminAccount: derivedId('builtin/account/admin'),
  zone: derivedId('builtin/zone/zone1'),
  physicalNetwork: derivedId('builtin/physicalnetwork/physnet1'),
  /** The ACL lists every VPC can use. */
  allowList: derivedId('builtin/acl/default_allow'),
  denyList: derivedId('builtin/acl/default_deny'),
} as const;
