// The agent's configuration file: where the server is, which OVS it serves, how instances are made. Checked here once, strictly,
// so that a mistyped key is said at start and not discovered by its having no effect.
import { readFileSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { parseIp } from '../lib/ip.ts';
import { nodeName, whatIsWrong } from '../protocol/schema.ts';

const path = z.string().refine(isAbsolute, 'is to be an absolute path');

const device = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$/, 'is no interface name');
/** A device whose sub-interfaces (`eth1.1234`, `eth1.1234` is 15 bytes at most) carry its name. */
const trunk = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9_-]{0,9}$/,
    'is to be an interface name of at most 10 characters without a dot: its VLANs are named after it',
  );
const ip4 = z.string().refine((text) => parseIp(text) !== undefined, 'is no IPv4 address');

const ovs = z.strictObject({
  database: z.string().regex(/^unix:\/.+$/, 'is to be unix:PATH'),
  /** Folder of ovs-vswitchd's control socket (vs.ctl, or ovs-vswitchd.PID.ctl) and of the bridges' management sockets. */
  rundir: path,
});

const router = z
  .strictObject({
    /** Carries the networks' VLANs, tagged. */
    inside: trunk,
    /** Leads to the outside: public addresses live on it. */
    outside: trunk,
    /** Who makes the sub-interfaces: the kernel's 802.1Q, or Open vSwitch, as access ports of `bridge`. */
    vlans: z.enum(['kernel', 'openvswitch']),
    /** The bridge that holds `inside`, where Open vSwitch makes them. */
    bridge: device.optional(),
    /** Where the daemons' files live: their own syntaxes take these characters as they are. */
    directory: path.regex(/^[A-Za-z0-9_./-]+$/, 'is to be a path of letters, digits, dots, dashes and underscores'),
    /** The next hop outside for networks that have no public address; absent: the node's own default route. */
    gateway: ip4.optional(),
  })
  .refine((value) => value.vlans === 'kernel' || value.bridge !== undefined, {
    path: ['bridge'],
    message: 'is missing: with "vlans": "openvswitch" it names the bridge that holds the inside interface',
  })
  .refine((value) => value.inside !== value.outside, {
    path: ['outside'],
    message: 'is to be another one than inside',
  });

/** Instances as virtual machines under libvirt. */
const machines = z
  .strictObject({
    driver: z.literal('libvirt'),
    /** How virsh reaches the node's libvirt. */
    uri: z
      .string()
      .regex(/^qemu(\+[a-z]+)?:\/\/\S*$/, "is to be a URI of libvirt's, such as qemu:///system")
      .default('qemu:///system'),
    /** Where instances' files live; the same path on all nodes that instances move between, and shared by them when there are disks. */
    directory: path,
    /** What they boot: a kernel with an initramfs, both or neither; … */
    kernel: path.optional(),
    initrd: path.optional(),
    /** … else each a disk of its own over this image (qcow2); default: `image.qcow2` in the folder. */
    image: path.optional(),
    /** Whether they run on the node's CPU: `auto` finds out by booting a kernel once. */
    accelerate: z.enum(['auto', 'tcg', 'kvm']).default('auto'),
    /** How another node's libvirt is reached, for instances that move; `{node}` and `{address}` are its name and underlay address. */
    migration: z
      .strictObject({
        uri: z
          .string()
          .regex(/^qemu(\+[a-z]+)?:\/\/\S*$/, "is to be a URI of libvirt's, such as qemu+tls://{node}/system"),
        data: z
          .string()
          .regex(/^(tcp:\/\/|unix:\/\/\/)\S+$/, 'is to be tcp://{address}')
          .default('tcp://{address}'),
        tls: z.boolean().default(false),
      })
      .optional(),
  })
  .refine((value) => (value.kernel === undefined) === (value.initrd === undefined), {
    path: ['initrd'],
    message: 'is missing, or kernel is: they are booted together, or an image is',
  });

const schema = z.strictObject({
  /** The node's name: its certificate's common name and OVN's system-id. */
  node: nodeName,
  server: z.string().regex(/^(unix:\/.+|https:\/\/[^/]+:[0-9]{1,5})$/, 'is to be unix:PATH or https://HOST:PORT'),
  /** Folder of the key, the certificate, the last document and the log of steps. */
  state: path,
  /** Where the operator puts the join token. */
  tokenFile: path,
  /** Open vSwitch; a router node whose VLANs the kernel makes needs none. */
  ovs: ovs.optional(),
  underlay: z.strictObject({
    /** The bridge (userspace datapaths) or interface that carries the tunnels' address. */
    device,
    ip: ip4,
  }),
  datapath: z.enum(['netdev', 'system', 'dummy']),
  /** How instances are made; absent on a node that carries none. */
  instances: z
    .discriminatedUnion('driver', [
      z.strictObject({
        driver: z.literal('netns'),
        /** Where instances' files live; agents whose nodes share a machine share it. */
        directory: path,
      }),
      machines,
    ])
    .optional(),
  /** What a router node routes between; absent on a node that routes for nobody. */
  router: router.optional(),
});

const config = schema
  .refine((value) => value.instances !== undefined || value.router !== undefined, {
    message: 'it says neither "instances" nor "router": the node would have nothing to do',
  })
  .refine(
    (value) => value.ovs !== undefined || (value.instances === undefined && value.router?.vlans !== 'openvswitch'),
    { path: ['ovs'], message: "is missing: instances and Open vSwitch's VLANs need its database" },
  );

export type AgentConfig = z.infer<typeof config>;
export type MachinesConfig = z.infer<typeof machines>;
export type RouterConfig = NonNullable<AgentConfig['router']>;
/** A node with Open vSwitch. */
export type OvsConfig = AgentConfig & { readonly ovs: NonNullable<AgentConfig['ovs']> };

/** Whether the node has Open vSwitch. */
export function hasOvs(config: AgentConfig): config is OvsConfig {
  return config.ovs !== undefined;
}

/** Reads and checks the file. Throws a sentence that names the file and the first thing wrong. */
export function readConfig(file: string): AgentConfig {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Error(`cannot read the agent's configuration ${file}: ${(error as Error).message}`, { cause: error });
  }
  const parsed = config.safeParse(value);
  if (!parsed.success) throw new Error(`the agent's configuration ${file} is wrong: ${whatIsWrong(parsed.error)}`);
  return parsed.data;
}
