// What each driver of switches is told besides an address. Here, because it is asked for where an operator registers a switch, and
// read where the driver speaks to it: an option that one of the two knows, the other knows as well.
import { z } from 'zod';

/** linux/if.h, IFNAMSIZ: an interface's name has at most 15 bytes. */
export const LINUX_DEVICE = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$/;

/** What every driver that speaks SSH is told. */
const SSH = {
  user: z
    .string({ error: 'name the user to log in as' })
    .regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/, 'letters, digits, dots and dashes, at most 32'),
  hostKey: z
    .string({ error: 'what the switch proves itself with: take it from ssh-keyscan, such as "ssh-ed25519 AAAA…"' })
    .regex(
      /^(ssh-(ed25519|rsa)|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]+=*$/,
      'a type and a key: "ssh-ed25519 AAAA…"',
    ),
};

const BRIDGE = 'name the bridge whose ports are the switch ports';

/** True or false; from a form it comes as text. */
const flag = z.union([z.stringbool(), z.boolean()], { error: 'true or false' });

/** The options by driver. What is given is kept as it was given; the driver reads it through its schema. */
export const SWITCH_OPTIONS = {
  ovsdb: z.strictObject({
    bridge: z
      .string({ error: BRIDGE })
      .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/, 'letters, digits, dots, dashes, at most 63'),
    /** Where ovs-vswitchd's control socket lies, when it runs on this machine: only there its MAC table can be asked for. */
    rundir: z.string().startsWith('/', 'an absolute path').optional(),
  }),
  linux: z.strictObject({
    ...SSH,
    bridge: z.string({ error: BRIDGE }).regex(LINUX_DEVICE, 'letters, digits, dots and dashes, at most 15'),
    /** Whether commands need `sudo -n` in front, for a user other than root. */
    sudo: flag.default(false),
  }),
  netconf: z.strictObject({
    ...SSH,
    /** How the switch models its ports. */
    model: z.enum(['openconfig']).default('openconfig'),
    /** Whether to ask for a validation before the commit, which makes one anyway. netconfd 2.13 forgets the edit when asked. */
    validate: flag.default(true),
  }),
  instructions: z.strictObject({
    dialect: z.enum(['cisco-ios', 'arista-eos', 'junos', 'sonic'], {
      error: 'which lines to print: cisco-ios, arista-eos, junos or sonic',
    }),
  }),
};
