#!/usr/bin/python3
"""A whole tenant's life by Apache Libcloud as Debian ships it (apt-get install python3-libcloud), with real packets.

    CLOUDSTACK_ENDPOINT CLOUDSTACK_KEY CLOUDSTACK_SECRET   the API, and the admin of a domain
    LAB_EXEC                                              see wire.py

One line a step; the last line is PASS, or the program ends with the trace of what failed. Where Libcloud has no method for a command
(static NAT, private gateways, static routes), its own signed request is used.
"""

import os
from urllib.parse import urlparse

from libcloud.compute.providers import get_driver
from libcloud.compute.types import NodeState
from libcloud.loadbalancer.base import Algorithm, Member
from libcloud.loadbalancer.providers import get_driver as get_balancer_driver

from wire import OUTSIDE, OUTSIDE_ADDRESS, ask, check, heard, pings, run, serve

API = urlparse(os.environ["CLOUDSTACK_ENDPOINT"])


def connect(driver):
    made = driver(
        os.environ["CLOUDSTACK_KEY"],
        os.environ["CLOUDSTACK_SECRET"],
        secure=False,
        host=API.hostname,
        port=API.port,
        path=API.path,
    )
    made.connection.poll_interval = 0.1
    return made


cloud = connect(get_driver("cloudstack"))
balancers = connect(get_balancer_driver("cloudstack"))


def named(things, name):
    found = [one for one in things if one.name == name]
    assert len(found) == 1, "%d things are called %s" % (len(found), name)
    return found[0]


def job(command, **params):
    return cloud._async_request(command=command, params=params)


def ask_api(command, **params):
    return cloud._sync_request(command=command, params=params)


# What there is to choose from.
zone = cloud.list_locations()[0]
size = named(cloud.list_sizes(), "Small Instance")
larger = named(cloud.list_sizes(), "Medium Instance")
image = named(cloud.list_images(), "tiny linux kvm")
offerings = cloud.ex_list_network_offerings()
check("limits are listed", cloud.ex_limits()["max_instances"] == -1, cloud.ex_limits())
check("the tenant has nothing yet", cloud.list_nodes() == [] and cloud.ex_list_networks() == [])

# Keys and groups.
key = cloud.create_key_pair("lc-key")
check("a key pair is made, and its private key shown", key.private_key.startswith("-----BEGIN RSA PRIVATE KEY-----"))
check("later it is not", cloud.get_key_pair("lc-key").private_key is None)
imported = cloud.import_key_pair_from_string(
    "lc-imported", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMxkLFWuCBf7rOM0KIZFeXUzFhjJDaz47pIWmWvc9pFC me@there"
)
check("both are listed", [one.name for one in cloud.list_key_pairs()] == ["lc-imported", "lc-key"])
kind = [one for one in cloud.ex_list_affinity_group_types() if one.type == "host anti-affinity"][0]
apart = cloud.ex_create_affinity_group("lc-apart", kind)


def create(name, networks, **more):
    node = cloud.create_node(
        name=name, size=size, image=image, location=zone, networks=networks, ex_keyname="lc-key", ex_start_vm=True, **more
    )
    check("%s runs" % name, node.state == NodeState.RUNNING, node.state)
    return node


# A network of its own, with a public side.
network = cloud.ex_create_network(
    display_text="libcloud",
    name="lc-net",
    network_offering=named(offerings, "DefaultIsolatedNetworkOfferingWithSourceNatService"),
    location=zone,
    gateway="10.70.0.1",
    netmask="255.255.255.0",
)
web1 = create("lc-web1", [network], ex_affinity_groups=[apart], ex_userdata="#!/bin/sh\necho hello\n")
web2 = create("lc-web2", [network], ex_affinity_groups=[apart])
check("the group has both", set(cloud.ex_list_affinity_groups()[0].virtualmachine_ids) == {web1.id, web2.id})
for node in (web1, web2):
    serve(node.id, node.name, 80)
check("they reach each other", pings(web1.id, web2.private_ips[0]))

check("without an egress rule nothing gets out", not pings(web1.id, OUTSIDE_ADDRESS))
egress = cloud.ex_create_egress_firewall_rule(network.id, "10.70.0.0/24", "icmp", icmp_type=-1, icmp_code=-1)
check("with it, it does", pings(web1.id, OUTSIDE_ADDRESS))

address = cloud.ex_allocate_public_ip(network_id=network.id, location=zone)
forward = cloud.ex_create_port_forwarding_rule(web2, address, 80, 8080, "TCP", openfirewall=False)
check("a port forward without a firewall rule is closed", ask(OUTSIDE, address.address, 8080, 1) == "")
rule = cloud.ex_create_firewall_rule(address, "0.0.0.0/0", "tcp", start_port=8000, end_port=8090)
check("with one it leads to its node", heard(OUTSIDE, address.address, 8080, ["lc-web2"]))
check("the rules are listed", len(cloud.ex_list_firewall_rules()) == 1 and len(cloud.ex_list_port_forwarding_rules()) == 1)
check("the node knows its rule", [one.public_port for one in cloud.ex_get_node(web2.id).extra["port_forwarding_rules"]] == ["8080"])

own = cloud.ex_allocate_public_ip(network_id=network.id, location=zone)
ask_api("enableStaticNat", ipaddressid=own.id, virtualmachineid=web1.id)
whole = cloud.ex_create_firewall_rule(own, "0.0.0.0/0", "tcp", start_port=80, end_port=80)
check("static NAT gives a node all of an address", heard(OUTSIDE, own.address, 80, ["lc-web1"]))
check("the node shows it", own.address in cloud.ex_get_node(web1.id).public_ips)
job("disableStaticNat", ipaddressid=own.id)
check("and takes it back", cloud.ex_release_public_ip(own))

balancer = balancers.create_balancer(
    name="lc-lb",
    members=[Member(web1.id, None, None), Member(web2.id, None, None)],
    port=8081,
    private_port=80,
    algorithm=Algorithm.ROUND_ROBIN,
    location=zone,
    network_id=network.id,
)
check("a balancer reaches both members", heard(OUTSIDE, balancer.ip, 8081, ["lc-web1", "lc-web2"]))
check("it lists both", {member.id for member in balancers.balancer_list_members(balancer)} == {web1.id, web2.id})
balancers.balancer_detach_member(balancer, Member(web1.id, None, None))
check("one that was taken out is not asked any more", {ask(OUTSIDE, balancer.ip, 8081) for _ in range(4)} == {"lc-web2"})
balancers.destroy_balancer(balancer)

# A VPC, its lists, and a Private network.
vpc = cloud.ex_create_vpc(
    cidr="10.60.0.0/16", display_text="libcloud", name="lc-vpc", vpc_offering=named(cloud.ex_list_vpc_offerings(), "Default VPC offering"), zone_id=zone.id
)
tier = cloud.ex_create_network(
    display_text="libcloud",
    name="lc-tier",
    network_offering=named(offerings, "DefaultIsolatedNetworkOfferingForVpcNetworks"),
    location=zone,
    gateway="10.60.1.1",
    netmask="255.255.255.0",
    vpc_id=vpc.id,
)
app = create("lc-app", [tier])
serve(app.id, app.name, 80)
acl = cloud.ex_create_network_acllist("lc-acl", vpc.id, "made by libcloud")
cloud.ex_create_network_acl("TCP", acl.id, "0.0.0.0/0", 80, 80, action="allow", traffic_type="Ingress")
check("the list is replaced", cloud.ex_replace_network_acllist(acl.id, tier.id))
check("it is listed with its item", [one.start_port for one in cloud.ex_list_network_acl() if one.acl_id == acl.id] == ["80"])
door = cloud.ex_allocate_public_ip(vpc_id=vpc.id, location=zone)
inward = cloud.ex_create_port_forwarding_rule(app, door, 80, 80, "TCP", openfirewall=False, network_id=tier.id)
check("a public address of the VPC leads to its node", heard(OUTSIDE, door.address, 80, ["lc-app"]))
check("the rule goes", cloud.ex_delete_port_forwarding_rule(app, inward))
check("and so does the address", cloud.ex_release_public_ip(door))

private = ask_api(
    "createNetwork",
    name="lc-private",
    displaytext="between",
    zoneid=zone.id,
    cidr="172.20.0.0/24",
    networkofferingid=named(offerings, "DefaultPrivateGatewayNetworkOffering").id,
)["network"]
gateway = job("createPrivateGateway", vpcid=vpc.id, networkid=private["id"], ipaddress="172.20.0.1")["privategateway"]
check("the VPC has a leg on the Private network", gateway["state"] == "Ready", gateway)
route = job("createStaticRoute", vpcid=vpc.id, cidr="10.61.0.0/16", nexthop="172.20.0.2")["staticroute"]
job("deleteStaticRoute", id=route["id"])
job("deletePrivateGateway", id=gateway["id"])
job("deleteNetwork", id=private["id"])

# A node's own life.
cloud.ex_attach_nic_to_node(web1, tier)
second = [nic for nic in cloud.ex_list_nics(web1) if nic.network_id == tier.id]
check("it gets a second interface", len(second) == 1)
cloud.ex_detach_nic_from_node(second[0], web1)
disk = cloud.create_volume(3, "lc-disk", location=zone)
check("a disk is attached", cloud.attach_volume(web1, disk) and len(cloud.list_volumes(web1)) == 2)
check("and detached and deleted", cloud.detach_volume(disk) and cloud.destroy_volume(disk) and len(cloud.list_volumes(web1)) == 1)
check("tags are set", cloud.ex_create_tags([web1.id], "UserVm", {"role": "web"}))
check("and shown", cloud.ex_get_node(web1.id).extra["tags"] == {"role": "web"})
check("and taken off", cloud.ex_delete_tags([web1.id], "UserVm", ["role"]))
check("it reboots", cloud.reboot_node(web1) and pings(web2.id, web1.private_ips[0]))
check("it stops", cloud.ex_stop(web1) == "Stopped" and not pings(web2.id, web1.private_ips[0]))
check("it grows", cloud.ex_change_node_size(web1, larger) == larger.id)
check("it leaves its group", cloud.ex_update_node_affinity_group(web1, []).extra["affinity_group"] == [])
check("it starts", cloud.ex_start(web1) == "Running" and pings(web2.id, web1.private_ips[0]))

# The end.
for node in (web1, web2, app):
    check("%s is destroyed" % node.name, cloud.destroy_node(node, ex_expunge=True))
check("the rules of what is gone are gone", cloud.ex_list_port_forwarding_rules() == [])
check("the address is given back", cloud.ex_release_public_ip(address))
for gone in (network, tier):
    check("%s is deleted" % gone.name, cloud.ex_delete_network(gone))
job("deleteNetworkACLList", id=acl.id)
check("the VPC is deleted", cloud.ex_delete_vpc(vpc))
check("the group is deleted", cloud.ex_delete_affinity_group(apart))
check("the key pairs are deleted", cloud.delete_key_pair(key) and cloud.delete_key_pair(imported))
check("nothing is left", [cloud.list_nodes(), cloud.ex_list_networks(), cloud.ex_list_vpcs(), cloud.ex_list_public_ips()] == [[], [], [], []])
print("PASS")
