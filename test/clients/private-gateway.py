#!/usr/bin/python3
"""A private gateway as CloudStack's own clients ask for one (gateway, netmask and VLAN by hand, no network made before; that is root's),
a static route by the gateway's id, made by its tenant, and the removal of both. With python3-cs, the library Ansible's modules stand
on: they have none for these.

    private-gateway.py VPC    by its name
    CLOUDSTACK_ENDPOINT CLOUDSTACK_KEY CLOUDSTACK_SECRET   the API, and the tenant
    OPERATOR_KEY OPERATOR_SECRET                          root
"""

import os
import sys

from cs import CloudStack


def connect(key, secret):
    return CloudStack(endpoint=os.environ["CLOUDSTACK_ENDPOINT"], key=key, secret=secret, fetch_result=True, poll_interval=0.1)


operator = connect(os.environ["OPERATOR_KEY"], os.environ["OPERATOR_SECRET"])
tenant = connect(os.environ["CLOUDSTACK_KEY"], os.environ["CLOUDSTACK_SECRET"])
vpc = tenant.listVPCs(name=sys.argv[1])["vpc"][0]["id"]

gateway = operator.createPrivateGateway(
    vpcid=vpc, ipaddress="172.21.0.2", gateway="172.21.0.1", netmask="255.255.255.0", vlan="3001"
)["privategateway"]
assert gateway["state"] == "Ready" and gateway["gateway"] == "172.21.0.1", gateway
assert [one["id"] for one in tenant.listPrivateGateways(vpcid=vpc)["privategateway"]] == [gateway["id"]]
route = tenant.createStaticRoute(gatewayid=gateway["id"], cidr="10.90.0.0/16")["staticroute"]
assert route["vpcid"] == vpc and route["vpcgatewayid"] == gateway["id"], route
tenant.deleteStaticRoute(id=route["id"])
operator.deletePrivateGateway(id=gateway["id"])
assert not tenant.listPrivateGateways(vpcid=vpc)
