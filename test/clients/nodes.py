#!/usr/bin/python3
"""Apache Libcloud as Debian ships it (apt-get install python3-libcloud) walks through the life of an instance.

    LIBCLOUD_PORT LIBCLOUD_KEY LIBCLOUD_SECRET   where the API listens on 127.0.0.1, and who asks

One line a step; the last line is PASS, or the program ends with the trace of what failed.
"""

import os

from libcloud.compute.providers import get_driver
from libcloud.compute.types import NodeState

driver = get_driver("cloudstack")(
    os.environ["LIBCLOUD_KEY"],
    os.environ["LIBCLOUD_SECRET"],
    secure=False,
    host="127.0.0.1",
    port=int(os.environ["LIBCLOUD_PORT"]),
    path="/client/api",
)
driver.connection.poll_interval = 0.1


def check(name, held):
    print(("ok   " if held else "FAIL ") + name, flush=True)
    assert held, name


zones = driver.list_locations()
check("zones are listed", len(zones) == 1)
sizes = driver.list_sizes(location=zones[0])
check("sizes are listed", "Small Instance" in [size.name for size in sizes])
images = driver.list_images(location=zones[0])
check("images are listed", "tiny linux kvm" in [image.name for image in images])
size = next(size for size in sizes if size.name == "Small Instance")
image = next(image for image in images if image.name == "tiny linux kvm")
offerings = driver.ex_list_network_offerings()
tier = next(one for one in offerings if one.name == "DefaultIsolatedNetworkOfferingForVpcNetworks")
vpc_offering = next(one for one in driver.ex_list_vpc_offerings() if one.name == "Default VPC offering")

vpc = driver.ex_create_vpc(cidr="10.60.0.0/16", display_text="libcloud", name="lc-vpc", vpc_offering=vpc_offering, zone_id=zones[0].id)
check("a VPC is made", vpc.id in [one.id for one in driver.ex_list_vpcs()])
network = driver.ex_create_network(
    display_text="libcloud", name="lc-tier", network_offering=tier, location=zones[0], gateway="10.60.1.1", netmask="255.255.255.0", vpc_id=vpc.id
)
check("a tier is made", network.id in [one.id for one in driver.ex_list_networks()])

node = driver.create_node(name="lc-node", size=size, image=image, location=zones[0], networks=[network], ex_start_vm=True)
check("a node is made", node.name == "lc-node" and node.private_ips[0].startswith("10.60.1."))
check("it is listed as running", [(one.id, one.state) for one in driver.list_nodes()] == [(node.id, NodeState.RUNNING)])
check("it has one interface", [nic.network_id for nic in driver.ex_list_nics(node)] == [network.id])
check("it has a volume", len(driver.list_volumes(node)) == 1)
check("there are no key pairs", driver.list_key_pairs() == [])
check("it reboots", driver.reboot_node(node))
check("it stops", str(driver.ex_stop(node)).lower() == "stopped")
check("it starts", str(driver.ex_start(node)).lower() == "running")
check("it is destroyed", driver.destroy_node(node, ex_expunge=True))
check("it is gone", driver.list_nodes() == [])
check("the tier is deleted", driver.ex_delete_network(network))
check("the VPC is deleted", driver.ex_delete_vpc(vpc))
print("PASS")
