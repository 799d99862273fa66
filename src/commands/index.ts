// All commands of the product in one list, and how each kind of object is shown. The one place where a new room is signed in.
import { type Registry, registry } from '../api/command.ts';
import { listApisCommand } from '../api/list-apis.ts';
import { login, logout } from '../api/session.ts';
import {
  createNetworkACL,
  deleteNetworkACL,
  listNetworkACLs,
  updateNetworkACLItem,
  viewAclItem,
} from './vpc/acl-item.ts';
import {
  createNetworkACLList,
  deleteNetworkACLList,
  listNetworkACLLists,
  updateNetworkACLList,
  viewAclList,
} from './vpc/acl.ts';
import { moveNetworkAclItem } from './vpc/acl-move.ts';
import { replaceNetworkACLList } from './vpc/acl-replace.ts';
import {
  createIpv6FirewallRule,
  deleteIpv6FirewallRule,
  listIpv6FirewallRules,
  updateIpv6FirewallRule,
} from './network/ipv6-firewall.ts';
import {
  createGuestNetworkIpv6Prefix,
  deleteGuestNetworkIpv6Prefix,
  listGuestNetworkIpv6Prefixes,
  viewGuestPrefix,
} from './network/ipv6-prefix.ts';
import { createNetwork } from './network/network-create.ts';
import { deleteNetwork, listNetworks, viewNetwork } from './network/network.ts';
import { restartNetwork } from './network/network-restart.ts';
import { updateNetwork } from './network/network-update.ts';
import { createPrivateGateway } from './vpc/private-gateway-create.ts';
import { deletePrivateGateway, listPrivateGateways, viewPrivateGateway } from './vpc/private-gateway.ts';
import { destroyRouter, listRouters, rebootRouter, startRouter, stopRouter, viewRouter } from './network/router.ts';
import { listAddressReceipts } from './network/receipt.ts';
import { listNetworkNeighbors, scanNetwork, viewScan } from './network/scan.ts';
import { listWhoHasThisIp, listWhoHasThisMac } from './network/who-has.ts';
import { createStaticRoute, deleteStaticRoute, listStaticRoutes, viewStaticRoute } from './vpc/static-route.ts';
import { viewVpc } from './vpc/vpc-view.ts';
import { createVPC, deleteVPC, listVPCs, updateVPC } from './vpc/vpc.ts';
import { restartVPC } from './vpc/vpc-restart.ts';
import {
  createAccount,
  deleteAccount,
  disableAccount,
  enableAccount,
  listAccounts,
  lockAccount,
  updateAccount,
  viewAccount,
} from './account/account.ts';
import { listCapabilities } from './server/capabilities.ts';
import { listConfigurations, updateConfiguration } from './server/configuration.ts';
import { createDomain, deleteDomain, listDomainChildren, listDomains, updateDomain } from './account/domain.ts';
import { emptyLists } from './server/empty-list.ts';
import { listEventTypes, listEvents } from './server/event.ts';
import {
  createAffinityGroup,
  deleteAffinityGroup,
  listAffinityGroupTypes,
  listAffinityGroups,
  updateVMAffinityGroup,
  viewAffinityGroup,
} from './instance/affinity-group.ts';
import { assignVirtualMachine } from './instance/instance-assign.ts';
import { deployVirtualMachine } from './instance/instance-deploy.ts';
import { destroyVirtualMachine, expungeVirtualMachine, recoverVirtualMachine } from './instance/instance-destroy.ts';
import { listVirtualMachines } from './instance/instance-list.ts';
import { viewInstance } from './instance/instance-view.ts';
import {
  changeServiceForVirtualMachine,
  rebootVirtualMachine,
  resetPasswordForVirtualMachine,
  scaleVirtualMachine,
  startVirtualMachine,
  stopVirtualMachine,
  updateVirtualMachine,
} from './instance/instance.ts';
import { getVirtualMachineUserData, resetUserDataForVirtualMachine } from './instance/user-data.ts';
import { listAsyncJobs, queryAsyncJobResult } from './server/job.ts';
import { migrateVirtualMachine } from './instance/instance-migrate.ts';
import {
  createSSHKeyPair,
  deleteSSHKeyPair,
  listSSHKeyPairs,
  registerSSHKeyPair,
  resetSSHKeyForVirtualMachine,
} from './instance/key-pair.ts';
import { listNics } from './instance/nic.ts';
import { addIpToNic, removeIpFromNic, updateVmNicIp, viewSecondaryAddress } from './instance/nic-address.ts';
import {
  addNicToVirtualMachine,
  removeNicFromVirtualMachine,
  updateDefaultNicForVirtualMachine,
} from './instance/nic-change.ts';
import { listResourceLimits, updateResourceCount, updateResourceLimit } from './account/resource-limit.ts';
import { listRoles } from './account/role.ts';
import {
  assignToLoadBalancerRule,
  listLoadBalancerRuleInstances,
  removeFromLoadBalancerRule,
} from './public/balancer-member.ts';
import {
  createLBHealthCheckPolicy,
  createLBStickinessPolicy,
  deleteLBHealthCheckPolicy,
  deleteLBStickinessPolicy,
  listLBHealthCheckPolicies,
  listLBStickinessPolicies,
  updateLBHealthCheckPolicy,
  updateLBStickinessPolicy,
} from './public/balancer-policy.ts';
import { viewHealthCheck, viewStickiness } from './public/balancer-policy-view.ts';
import { viewLoadBalancer } from './public/balancer-view.ts';
import { viewInternalBalancer } from './public/internal-balancer-view.ts';
import { createLoadBalancer, deleteLoadBalancer, listLoadBalancers } from './public/internal-balancer.ts';
import {
  createLoadBalancerRule,
  deleteLoadBalancerRule,
  listLoadBalancerRules,
  updateLoadBalancerRule,
} from './public/balancer.ts';
import {
  createEgressFirewallRule,
  createFirewallRule,
  deleteEgressFirewallRule,
  deleteFirewallRule,
  listEgressFirewallRules,
  listFirewallRules,
  updateEgressFirewallRule,
  updateFirewallRule,
} from './public/firewall-rule.ts';
import { viewFirewallRule } from './public/firewall-view.ts';
import {
  createPortForwardingRule,
  deletePortForwardingRule,
  listPortForwardingRules,
  updatePortForwardingRule,
  viewPortForward,
} from './public/port-forward.ts';
import { listPublicIpAddresses } from './public/public-ip-list.ts';
import { viewPublicIp } from './public/public-ip-view.ts';
import { associateIpAddress, disassociateIpAddress, updateIpAddress } from './public/public-ip.ts';
import {
  createVlanIpRange,
  dedicatePublicIpRange,
  deleteVlanIpRange,
  listVlanIpRanges,
  releasePublicIpRange,
} from './public/public-range.ts';
import { updateVlanIpRange } from './public/public-range-update.ts';
import { disableStaticNat, enableStaticNat } from './public/static-nat.ts';
import type { House, Plan } from './room.ts';
import { createTags, deleteTags, listTags } from './server/tag.ts';
import { getUserKeys, registerUserKeys } from './account/user-keys.ts';
import {
  createUser,
  deleteUser,
  disableUser,
  enableUser,
  listUsers,
  lockUser,
  updateUser,
  viewUser,
} from './account/user.ts';
import { deleteDevice, listDevices, registerDevice, updateDevice } from './physical/device.ts';
import { attachDevice } from './physical/member-attach.ts';
import { detachDevice } from './physical/member-detach.ts';
import { viewMember } from './physical/member-view.ts';
import { moveDevice } from './physical/member-move.ts';
import { listNetworkMembers } from './physical/member.ts';
import {
  createNetworkRoute,
  deleteNetworkRoute,
  listNetworkRoutes,
  viewNetworkRoute,
} from './physical/network-route.ts';
import { checkNetworkRoute, viewRouteCheck } from './physical/route-check.ts';
import { grantSwitchPort, revokeSwitchPort } from './physical/switch-port-grant.ts';
import { addSwitchPort, deleteSwitchPort, listSwitchPorts, updateSwitchPort } from './physical/switch-port.ts';
import { addSwitch, confirmSwitchChanges, deleteSwitch, listSwitches, updateSwitch } from './physical/switch.ts';
import type { Views } from './view.ts';
import {
  createVpnCustomerGateway,
  deleteVpnCustomerGateway,
  listVpnCustomerGateways,
  updateVpnCustomerGateway,
  viewCustomerGateway,
} from './vpn/customer-gateway.ts';
import {
  createRemoteAccessVpn,
  deleteRemoteAccessVpn,
  listRemoteAccessVpns,
  updateRemoteAccessVpn,
} from './vpn/remote-vpn.ts';
import { viewRemoteVpn } from './vpn/remote-vpn-view.ts';
import { checkVpn } from './vpn/vpn-check.ts';
import { listVpnClients } from './vpn/vpn-client.ts';
import {
  createVpnConnection,
  deleteVpnConnection,
  listVpnConnections,
  resetVpnConnection,
  updateVpnConnection,
  viewVpnConnection,
} from './vpn/vpn-connection.ts';
import {
  createVpnGateway,
  deleteVpnGateway,
  listVpnGateways,
  updateVpnGateway,
  viewVpnGateway,
} from './vpn/vpn-gateway.ts';
import { createVpnClientProfile } from './vpn/vpn-profile.ts';
import { addVpnUser, listVpnUsers, removeVpnUser, updateVpnUser, viewVpnUser } from './vpn/vpn-user.ts';
import { attachVolume, createVolume, deleteVolume, detachVolume, resizeVolume } from './instance/volume-change.ts';
import { listVolumes, viewVolume } from './instance/volume.ts';
import {
  createDiskOffering,
  deleteDiskOffering,
  listDiskOfferings,
  updateDiskOffering,
} from './offering/disk-offering.ts';
import { listGuestVlans } from './zone/guest-vlan.ts';
import { deleteHost, listHosts, updateHost } from './zone/host.ts';
import { listAlerts } from './server/alert.ts';
import { cancelHostMaintenance, prepareHostForMaintenance, viewHost } from './zone/host-maintenance.ts';
import { createJoinToken } from './zone/join-token.ts';
import { createNetworkOffering } from './offering/network-offering-create.ts';
import { deleteNetworkOffering, listNetworkOfferings, updateNetworkOffering } from './offering/network-offering.ts';
import { listNetworkServiceProviders } from './network/network-service-provider.ts';
import { listHypervisors, listOsCategories, listOsTypes } from './instance/os-type.ts';
import {
  createPhysicalNetwork,
  deletePhysicalNetwork,
  listPhysicalNetworks,
  updatePhysicalNetwork,
  viewPhysicalNetwork,
} from './zone/physical-network.ts';
import { listClusters, listPods } from './zone/pod.ts';
import { listRegions } from './zone/region.ts';
import {
  createServiceOffering,
  deleteServiceOffering,
  listServiceOfferings,
  updateServiceOffering,
} from './offering/service-offering.ts';
import {
  deleteTemplate,
  registerTemplate,
  updateTemplate,
  updateTemplatePermissions,
} from './instance/template-change.ts';
import { listTemplates } from './instance/template.ts';
import {
  addTrafficType,
  deleteTrafficType,
  listTrafficTypes,
  updateTrafficType,
  viewTrafficType,
} from './zone/traffic-type.ts';
import {
  createVPCOffering,
  deleteVPCOffering,
  listVPCOfferings,
  updateVPCOffering,
  viewVpcOffering,
} from './offering/vpc-offering.ts';
import { createZone, deleteZone, listZones, updateZone } from './zone/zone.ts';

/** How a job's result shows its object: by the key that stands in the answer. */
export const views: Views = {
  network: viewNetwork,
  networkscan: viewScan,
  nicsecondaryip: viewSecondaryAddress,
  networkmember: viewMember,
  networkroute: viewNetworkRoute,
  networkroutecheck: viewRouteCheck,
  networkacl: viewAclItem,
  networkacllist: viewAclList,
  privategateway: viewPrivateGateway,
  router: viewRouter,
  host: viewHost,
  staticroute: viewStaticRoute,
  vpc: viewVpc,
  account: viewAccount,
  physicalnetwork: viewPhysicalNetwork,
  traffictype: viewTrafficType,
  vpcoffering: viewVpcOffering,
  user: viewUser,
  virtualmachine: viewInstance,
  affinitygroup: viewAffinityGroup,
  volume: viewVolume,
  ipaddress: viewPublicIp,
  portforwardingrule: viewPortForward,
  firewallrule: viewFirewallRule,
  guestnetworkipv6prefix: viewGuestPrefix,
  // Both kinds of balancers are `loadbalancer` to clients.
  loadbalancer: async (room, id) => (await viewLoadBalancer(room, id)) ?? (await viewInternalBalancer(room, id)),
  stickinesspolicies: viewStickiness,
  healthcheckpolicies: viewHealthCheck,
  remoteaccessvpn: viewRemoteVpn,
  vpnuser: viewVpnUser,
  vpngateway: viewVpnGateway,
  vpncustomergateway: viewCustomerGateway,
  vpnconnection: viewVpnConnection,
};

// One line per room; add yours in alphabetical order.
const PLANS: readonly Plan[] = [
  [createNetworkACLList, deleteNetworkACLList, listNetworkACLLists, replaceNetworkACLList, updateNetworkACLList],
  [createIpv6FirewallRule, deleteIpv6FirewallRule, listIpv6FirewallRules, updateIpv6FirewallRule],
  [createGuestNetworkIpv6Prefix, deleteGuestNetworkIpv6Prefix, listGuestNetworkIpv6Prefixes],
  [createNetworkACL, deleteNetworkACL, listNetworkACLs, moveNetworkAclItem, updateNetworkACLItem],
  createNetwork,
  [deleteNetwork, listNetworks, restartNetwork, updateNetwork],
  createPrivateGateway,
  [deletePrivateGateway, listPrivateGateways],
  [destroyRouter, listRouters, rebootRouter, startRouter, stopRouter],
  [createStaticRoute, deleteStaticRoute, listStaticRoutes],
  [createVPC, deleteVPC, listVPCs, restartVPC, updateVPC],
  [createDiskOffering, deleteDiskOffering, listDiskOfferings, updateDiskOffering],
  listGuestVlans,
  [listAlerts],
  [cancelHostMaintenance, createJoinToken, deleteHost, listHosts, prepareHostForMaintenance, updateHost],
  createNetworkOffering,
  [deleteNetworkOffering, listNetworkOfferings, updateNetworkOffering],
  listNetworkServiceProviders,
  [listAddressReceipts, listNetworkNeighbors, listWhoHasThisIp, listWhoHasThisMac, scanNetwork],
  [addSwitch, confirmSwitchChanges, deleteSwitch, listSwitches, updateSwitch],
  [addSwitchPort, deleteSwitchPort, listSwitchPorts, updateSwitchPort, grantSwitchPort, revokeSwitchPort],
  [registerDevice, listDevices, updateDevice, deleteDevice, attachDevice, detachDevice, moveDevice, listNetworkMembers],
  [checkNetworkRoute, createNetworkRoute, deleteNetworkRoute, listNetworkRoutes],
  [listHypervisors, listOsCategories, listOsTypes],
  [createPhysicalNetwork, deletePhysicalNetwork, listPhysicalNetworks, updatePhysicalNetwork],
  [listClusters, listPods],
  listRegions,
  [createServiceOffering, deleteServiceOffering, listServiceOfferings, updateServiceOffering],
  [deleteTemplate, registerTemplate, updateTemplate, updateTemplatePermissions],
  listTemplates,
  [addTrafficType, deleteTrafficType, listTrafficTypes, updateTrafficType],
  [createVPCOffering, deleteVPCOffering, listVPCOfferings, updateVPCOffering],
  [createZone, deleteZone, listZones, updateZone],
  [associateIpAddress, disassociateIpAddress, listPublicIpAddresses, updateIpAddress],
  [createPortForwardingRule, deletePortForwardingRule, listPortForwardingRules, updatePortForwardingRule],
  [createFirewallRule, deleteFirewallRule, listFirewallRules, updateFirewallRule],
  [createEgressFirewallRule, deleteEgressFirewallRule, listEgressFirewallRules, updateEgressFirewallRule],
  [createLoadBalancerRule, deleteLoadBalancerRule, listLoadBalancerRules, updateLoadBalancerRule],
  [assignToLoadBalancerRule, listLoadBalancerRuleInstances, removeFromLoadBalancerRule],
  [createLoadBalancer, deleteLoadBalancer, listLoadBalancers],
  [createLBStickinessPolicy, deleteLBStickinessPolicy, listLBStickinessPolicies, updateLBStickinessPolicy],
  [createLBHealthCheckPolicy, deleteLBHealthCheckPolicy, listLBHealthCheckPolicies, updateLBHealthCheckPolicy],
  [createVlanIpRange, dedicatePublicIpRange, deleteVlanIpRange, listVlanIpRanges, releasePublicIpRange],
  updateVlanIpRange,
  [disableStaticNat, enableStaticNat],
  [createAccount, deleteAccount, disableAccount, enableAccount, listAccounts, lockAccount, updateAccount],
  [listCapabilities, listConfigurations, updateConfiguration],
  [createDomain, deleteDomain, listDomainChildren, listDomains, updateDomain],
  ...emptyLists,
  listEvents,
  [startVirtualMachine, stopVirtualMachine, rebootVirtualMachine, resetPasswordForVirtualMachine, updateVirtualMachine],
  [changeServiceForVirtualMachine, scaleVirtualMachine, getVirtualMachineUserData, resetUserDataForVirtualMachine],
  [assignVirtualMachine, deployVirtualMachine],
  [destroyVirtualMachine, expungeVirtualMachine, recoverVirtualMachine],
  listVirtualMachines,
  listNics,
  [addIpToNic, removeIpFromNic, updateVmNicIp],
  [addNicToVirtualMachine, removeNicFromVirtualMachine, updateDefaultNicForVirtualMachine],
  migrateVirtualMachine,
  [createAffinityGroup, deleteAffinityGroup, listAffinityGroups, listAffinityGroupTypes, updateVMAffinityGroup],
  [createSSHKeyPair, deleteSSHKeyPair, listSSHKeyPairs, registerSSHKeyPair, resetSSHKeyForVirtualMachine],
  [listResourceLimits, updateResourceCount, updateResourceLimit],
  listRoles,
  [createRemoteAccessVpn, deleteRemoteAccessVpn, listRemoteAccessVpns, updateRemoteAccessVpn],
  [addVpnUser, listVpnUsers, removeVpnUser, updateVpnUser],
  [createVpnClientProfile, listVpnClients, checkVpn],
  [createVpnGateway, deleteVpnGateway, listVpnGateways, updateVpnGateway],
  [createVpnCustomerGateway, deleteVpnCustomerGateway, listVpnCustomerGateways, updateVpnCustomerGateway],
  [createVpnConnection, deleteVpnConnection, listVpnConnections, resetVpnConnection, updateVpnConnection],
  [attachVolume, createVolume, deleteVolume, detachVolume, listVolumes, resizeVolume],
  [listAsyncJobs, queryAsyncJobResult(views)],
  [createTags, deleteTags, listTags],
  [createUser, deleteUser, disableUser, enableUser, listUsers, lockUser, updateUser],
  [getUserKeys, registerUserKeys],
].flat();

/** Kinds of objects that stand in answers under another name than the one parameters know them by. */
export const KEY_OF_KIND: Readonly<Record<string, string>> = {
  acl: 'networkacllist',
  aclitem: 'networkacl',
  instance: 'virtualmachine',
  job: 'asyncjobs',
  publicip: 'publicipaddress',
  publicrange: 'vlaniprange',
  guestprefix: 'guestnetworkipv6prefix',
  portforward: 'portforwardingrule',
  loadbalancer: 'loadbalancerrule',
  stickinesspolicy: 'stickinesspolicies',
  healthcheckpolicy: 'healthcheckpolicies',
};

/** Every command, moved into a house. */
export function createRegistry(house: House): Registry {
  const all = (): Registry => built;
  const commands = [...PLANS, listEventTypes(all)].map((plan) => plan(house));
  const built = registry([...commands, login, logout, listApisCommand(all, KEY_OF_KIND)]);
  return built;
}
