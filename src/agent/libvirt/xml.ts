// The description of an instance as libvirt wants it, from typed values: every text is encoded here, and nothing else writes XML.
import type { InstanceSpec, NicSpec } from '../../protocol/document.ts';
import { portOf } from '../netns/names.ts';

/** What of the node the description depends on. */
export interface MachineContext {
  readonly node: string;
  /** `unix:PATH` of the node's OVS database. */
  readonly database: string;
  /** libvirt's URI, such as `qemu:///system`. */
  readonly uri: string;
  /** Where instances' files live; the same path on every node that instances move between. */
  readonly directory: string;
  /** Kernel and initramfs that are booted directly; absent: the disk `DIR/<id>/disk.qcow2` is booted. */
  readonly boot: { readonly kernel: string; readonly initrd: string } | { readonly image: string };
  /** What the node's datapath needs: in user space real checksums, in the kernel nothing. */
  readonly userspace: boolean;
  readonly migration?: MigrationContext;
}

/** How the other nodes' libvirt is reached; `{node}` and `{address}` stand for the destination's name and underlay address. */
export interface MigrationContext {
  readonly uri: string;
  /** Where the memory goes: `tcp://{address}`. */
  readonly data: string;
  /** Whether the memory is encrypted on its way. */
  readonly tls: boolean;
}

/** Our mark in a domain's metadata, and with it who made it and for which boot. */
export const NAMESPACE = 'https://trunkline.example/instance/1';

/** The folder of an instance's files. */
export function folderOf(id: string, { directory }: Pick<MachineContext, 'directory'>): string {
  return `${directory}/${id}`;
}

/** The whole domain. `accelerated`: by the node's CPU (KVM) and not by emulation. */
export function domainXml(spec: InstanceSpec, accelerated: boolean, context: MachineContext): string {
  const folder = folderOf(spec.id, context);
  const { boot } = context;
  const direct = 'kernel' in boot;
  // cloud-init looks for CloudStack's metadata only on what calls itself so (its ds-identify reads the machine's description).
  const asks = !direct && spec.firstBoot?.toldBy === 'service';
  return `<domain type='${accelerated ? 'kvm' : 'qemu'}'>
  <name>${encode(spec.name)}</name>
  <uuid>${encode(spec.id)}</uuid>
  <title>${encode(spec.hostname)}</title>
  <metadata>
    <trunkline:instance xmlns:trunkline='${NAMESPACE}' node='${encode(context.node)}' boot='${spec.boot}'/>
  </metadata>
  <memory unit='MiB'>${spec.memoryMb}</memory>
  <vcpu>${spec.cpus}</vcpu>
${asks ? CLOUDSTACK : ''}  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
${asks ? "    <smbios mode='sysinfo'/>\n" : ''}${
    direct
      ? `    <kernel>${encode(boot.kernel)}</kernel>
    <initrd>${encode(boot.initrd)}</initrd>
    <cmdline>console=ttyS0 quiet panic=-1 mitigations=off net.ifnames=0</cmdline>`
      : `    <boot dev='hd'/>`
  }
  </os>
  <features><acpi/><apic/></features>
  ${accelerated ? `<cpu mode='host-model'/>` : EMULATED_CPU}
  <clock offset='utc'/>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
${
  direct
    ? ''
    : `    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='none'/>
      <source file='${encode(folder)}/disk.qcow2'/>
      <target dev='vda' bus='virtio'/>
    </disk>
`
}    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='${encode(folder)}/seed.iso'/>
      <target dev='vdz' bus='virtio'/>
      <readonly/>
      <shareable/>
    </disk>
${spec.nics.map((nic) => interfaceXml(nic, context)).join('')}    <serial type='file'><source path='${encode(folder)}/console.log'/><target port='0'/></serial>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
  </devices>
</domain>
`;
}

/** One card: its tap is a port of the integration bridge, bound to the logical port by `iface-id`. */
export function interfaceXml(nic: NicSpec, { userspace }: Pick<MachineContext, 'userspace'>): string {
  return `    <interface type='bridge'>
      <mac address='${encode(nic.mac)}'/>
      <source bridge='br-int'/>
      <virtualport type='openvswitch'><parameters interfaceid='${encode(nic.id)}'/></virtualport>
      <target dev='${portOf(nic.id)}'/>
      <model type='virtio'/>
${userspace ? NO_OFFLOAD : ''}      <mtu size='${nic.mtu}'/>
${slotOf(nic)}    </interface>
`;
}

const CLOUDSTACK = `  <sysinfo type='smbios'>
    <system>
      <entry name='manufacturer'>Apache Software Foundation</entry>
      <entry name='product'>CloudStack KVM Hypervisor</entry>
    </system>
  </sysinfo>
`;

/** qemu64 is on every machine; rdrand gives it random numbers at once. */
const EMULATED_CPU = `<cpu mode='custom' match='exact' check='none'><model>qemu64</model><feature policy='require' name='rdrand'/></cpu>`;

/** Open vSwitch in user space passes frames on as they are: nothing may be left to a card. */
const NO_OFFLOAD = `      <driver name='qemu'>
        <host csum='off' gso='off' tso4='off' tso6='off' ecn='off' ufo='off'/>
        <guest csum='off' tso4='off' tso6='off' ecn='off' ufo='off'/>
      </driver>
`;

/** Cards are found by their slots: the first ones have each their own, the others what is left. */
function slotOf({ deviceId }: NicSpec): string {
  if (deviceId > 7) return '';
  const slot = (0x10 + deviceId).toString(16);
  return `      <address type='pci' domain='0x0000' bus='0x00' slot='0x${slot}' function='0x0'/>\n`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  "'": '&apos;',
  '"': '&quot;',
};

function encode(text: string): string {
  return text.replaceAll(/[&<>'"]/g, (char) => ENTITIES[char]!);
}
