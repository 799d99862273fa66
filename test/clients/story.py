#!/usr/bin/python3
"""Story 1 played by a client that is not ours: python3-cs as Debian ships it (apt-get install python3-cs).

A domain admin connects three VPCs through a Private network; another tenant can neither see nor touch any of it.

    CLOUDSTACK_ENDPOINT CLOUDSTACK_KEY CLOUDSTACK_SECRET   the API, and the domain admin who plays
    OTHER_KEY OTHER_SECRET                                 the admin of another domain
    STORY_EXEC   optional: JSON list, the argv that runs a command in an instance, such as
                 ["./trunkline", "lab", "exec", "--state", "DIR"]; called as ARGV ID -- ping ...
                 Without it the story is played on the API alone and routes need not become Active.
    STORY_KEEP   optional: leave everything standing

One line a step. The last line is PASS or FAIL; the exit status is 0 only for PASS.
"""

import json
import os
import subprocess
import sys
import time

from cs import CloudStack, CloudStackApiException

ENDPOINT = os.environ["CLOUDSTACK_ENDPOINT"]
EXEC = json.loads(os.environ.get("STORY_EXEC", "null"))
NUMBERS = (1, 2, 3)
PREFIX = "172.31.0"

failures = []


def cloud(key, secret):
    return CloudStack(endpoint=ENDPOINT, key=key, secret=secret, fetch_result=True, poll_interval=0.1, timeout=30)


acme = cloud(os.environ["CLOUDSTACK_KEY"], os.environ["CLOUDSTACK_SECRET"])
globex = cloud(os.environ["OTHER_KEY"], os.environ["OTHER_SECRET"])


def step(name, held, detail=""):
    """One line, and remembered when it did not hold."""
    print(("ok   " if held else "FAIL ") + name + ("" if held or not detail else ": " + str(detail)), flush=True)
    if not held:
        failures.append(name)
    return held


def refused(name, code, part, call):
    """The call must be refused with this code, by a text that holds this part."""
    try:
        answer = call()
    except CloudStackApiException as error:
        said = error.error
        step(name, said["errorcode"] == code and part.lower() in said["errortext"].lower(), said)
    else:
        step(name, False, "it was done: %s" % answer)


def one(answer, key, name):
    """The one object of this name, looked up as clients do: whatever its letters' case."""
    found = [row for row in answer.get(key, []) if row["name"].lower() == name.lower()]
    if len(found) != 1:
        raise SystemExit("FAIL: expected one %s called %s, found %d" % (key, name, len(found)))
    return found[0]["id"]


def reaches(source, target):
    """Whether one ping gets its answer."""
    argv = EXEC + [source["id"], "--", "ping", "-c", "1", "-W", "1", target["nic"][0]["ipaddress"]]
    return subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0


def matrix(name, instances, expected):
    """All directions between different instances, one packet each."""
    if EXEC is None:
        return
    wrong = [
        "%s to %s" % (a["name"], b["name"])
        for a in instances
        for b in instances
        if a is not b and reaches(a, b) != expected
    ]
    step(name, not wrong, ", ".join(wrong))


def build(number, chosen):
    """A VPC with a tier and an instance."""
    vpc = acme.createVPC(
        name="cs-vpc%d" % number,
        displaytext="made by python3-cs",
        cidr="10.%d.0.0/16" % (40 + number),
        zoneid=chosen["zone"],
        vpcofferingid=chosen["vpcoffering"],
    )["vpc"]
    step("VPC %s is Enabled when its job is done" % vpc["name"], vpc["state"] == "Enabled", vpc)
    tier = acme.createNetwork(
        name="cs-tier%d" % number,
        displaytext="tier",
        zoneid=chosen["zone"],
        vpcid=vpc["id"],
        networkofferingid=chosen["tieroffering"],
        gateway="10.%d.1.1" % (40 + number),
        netmask="255.255.255.0",
        aclid=chosen["acl"],
    )["network"]
    instance = acme.deployVirtualMachine(
        name="cs-vm%d" % number,
        zoneid=chosen["zone"],
        serviceofferingid=chosen["serviceoffering"],
        templateid=chosen["template"],
        networkids=tier["id"],
    )["virtualmachine"]
    step("instance %s runs" % instance["name"], instance["state"] == "Running", instance["state"])
    address = instance["nic"][0]["ipaddress"]
    step("its address %s is in its tier" % address, address.startswith("10.%d.1." % (40 + number)))
    return {"vpc": vpc, "tier": tier, "instance": instance}


def lookups():
    zone = acme.listZones()["zone"][0]["id"]
    return {
        "zone": zone,
        "vpcoffering": one(acme.listVPCOfferings(name="default vpc offering"), "vpcoffering", "Default VPC offering"),
        "tieroffering": one(
            acme.listNetworkOfferings(zoneid=zone), "networkoffering", "DefaultIsolatedNetworkOfferingForVpcNetworks"
        ),
        "privateoffering": one(
            acme.listNetworkOfferings(guestiptype="Private"), "networkoffering", "DefaultPrivateGatewayNetworkOffering"
        ),
        "serviceoffering": one(acme.listServiceOfferings(), "serviceoffering", "Small Instance"),
        "template": one(acme.listTemplates(templatefilter="featured"), "template", "tiny linux kvm"),
        "acl": one(acme.listNetworkACLLists(), "networkacllist", "default_allow"),
    }


def connect(parts, chosen):
    """The Private network, the gateways on it, and the routes of the full mesh."""
    private = acme.createNetwork(
        name="cs-between",
        displaytext="between the VPCs",
        zoneid=chosen["zone"],
        networkofferingid=chosen["privateoffering"],
        cidr=PREFIX + ".0/24",
    )["network"]
    step("the Private network shows its type, and no VLAN to a tenant", private["type"] == "Private" and "vlan" not in private, private)
    gateways = []
    for number, part in zip(NUMBERS, parts):
        gateway = acme.createPrivateGateway(
            vpcid=part["vpc"]["id"],
            networkid=private["id"],
            ipaddress="%s.%d" % (PREFIX, number),
            aclid=chosen["acl"],
        )["privategateway"]
        step("gateway %s is Ready when its job is done" % gateway["ipaddress"], gateway["state"] == "Ready", gateway["state"])
        gateways.append(gateway)
    matrix("gateways without routes: still no instance reaches another VPC", [p["instance"] for p in parts], False)
    routes = []
    for source in NUMBERS:
        for target in NUMBERS:
            if source != target:
                routes.append(
                    acme.createStaticRoute(
                        vpcid=parts[source - 1]["vpc"]["id"],
                        cidr="10.%d.0.0/16" % (40 + target),
                        nexthop="%s.%d" % (PREFIX, target),
                    )["staticroute"]
                )
    return private, gateways, routes


def check_routes(routes):
    listed = acme.listStaticRoutes(listall=True)["staticroute"]
    ours = {route["id"]: route for route in listed}
    step("all six routes are listed", all(route["id"] in ours for route in routes))
    if EXEC is not None:
        states = {route["state"] for route in listed}
        step("all of them are Active", states == {"Active"}, states)


def check_refusals(parts, private, gateways, chosen):
    first, second = parts[0], parts[1]
    make = acme.createPrivateGateway
    refused(
        "a second gateway of a VPC on the same network is refused",
        431,
        "is already connected to network",
        lambda: make(vpcid=first["vpc"]["id"], networkid=private["id"], ipaddress=PREFIX + ".9"),
    )
    extra = acme.createVPC(
        name="cs-extra", displaytext="x", cidr="10.44.0.0/16", zoneid=chosen["zone"], vpcofferingid=chosen["vpcoffering"]
    )["vpc"]
    overlapping = acme.createVPC(
        name="cs-overlap", displaytext="x", cidr="10.41.0.0/16", zoneid=chosen["zone"], vpcofferingid=chosen["vpcoffering"]
    )["vpc"]
    refused(
        "an address that is taken is refused",
        431,
        PREFIX + ".1",
        lambda: make(vpcid=extra["id"], networkid=private["id"], ipaddress=PREFIX + ".1"),
    )
    refused(
        "an address outside of the network is refused",
        431,
        "within the CIDR",
        lambda: make(vpcid=extra["id"], networkid=private["id"], ipaddress="172.30.0.1"),
    )
    refused(
        "a VPC whose CIDR overlaps that of a member is refused, and named",
        431,
        "10.41.0.0/16",
        lambda: make(vpcid=overlapping["id"], networkid=private["id"], ipaddress=PREFIX + ".9"),
    )
    acme.deleteVPC(id=extra["id"])
    acme.deleteVPC(id=overlapping["id"])
    refused(
        "a gateway that routes depend on is not deleted, and the routes are named",
        530,
        "10.41.0.0/16",
        lambda: acme.deletePrivateGateway(id=gateways[1]["id"]),
    )
    refused("a Private network with gateways is not deleted", 530, PREFIX + ".1 of VPC cs-vpc1", lambda: acme.deleteNetwork(id=private["id"]))
    refused("a VPC with tiers is not deleted", 530, "cs-tier2", lambda: acme.deleteVPC(id=second["vpc"]["id"]))
    refused("a tier with instances is not deleted", 530, "cs-vm1", lambda: acme.deleteNetwork(id=first["tier"]["id"]))


def check_globex(parts, private, gateways, routes, chosen):
    lists = {
        "listVPCs": parts[0]["vpc"]["id"],
        "listNetworks": private["id"],
        "listPrivateGateways": gateways[0]["id"],
        "listStaticRoutes": routes[0]["id"],
        "listVirtualMachines": parts[0]["instance"]["id"],
    }
    for command, theirs in lists.items():
        mine = getattr(globex, command)(listall=True)
        seen = [row["id"] for rows in mine.values() if isinstance(rows, list) for row in rows]
        step("globex: %s shows nothing of acme" % command, theirs not in seen, seen)
        refused(
            "globex: %s with acme's id: unknown" % command,
            431,
            "Invalid parameter id value=%s due to incorrect long value format, or entity does not exist" % theirs,
            lambda: getattr(globex, command)(id=theirs),
        )
    unknown = "or entity does not exist"
    vpc, network = parts[0]["vpc"]["id"], private["id"]
    refused("globex: cannot delete acme's VPC", 431, unknown, lambda: globex.deleteVPC(id=vpc))
    refused("globex: cannot stop acme's instance", 431, unknown, lambda: globex.stopVirtualMachine(id=parts[0]["instance"]["id"]))
    own = globex.createVPC(
        name="cs-globex", displaytext="x", cidr="10.45.0.0/16", zoneid=chosen["zone"], vpcofferingid=chosen["vpcoffering"]
    )["vpc"]
    refused(
        "globex: cannot plug its VPC into acme's Private network",
        431,
        unknown,
        lambda: globex.createPrivateGateway(vpcid=own["id"], networkid=network, ipaddress=PREFIX + ".9"),
    )
    refused(
        "globex: cannot route in acme's VPC",
        431,
        unknown,
        lambda: globex.createStaticRoute(vpcid=vpc, cidr="10.45.0.0/16", nexthop=PREFIX + ".9"),
    )
    job = acme.listAsyncJobs(listall=True)["asyncjobs"][0]["jobid"]
    refused(
        "globex: acme's jobs are unknown", 431, unknown, lambda: globex.queryAsyncJobResult(jobid=job, fetch_result=False)
    )
    globex.deleteVPC(id=own["id"])


def tear_down(parts, private, gateways, routes):
    for route in routes:
        acme.deleteStaticRoute(id=route["id"])
    for gateway in gateways:
        acme.deletePrivateGateway(id=gateway["id"])
    acme.deleteNetwork(id=private["id"])
    matrix("without routes no instance reaches another VPC again", [p["instance"] for p in parts], False)
    for part in parts:
        gone = acme.destroyVirtualMachine(id=part["instance"]["id"], expunge=True)
        step("%s is expunged and shown a last time" % part["instance"]["name"], gone["virtualmachine"]["id"] == part["instance"]["id"], gone)
        acme.deleteNetwork(id=part["tier"]["id"])
        acme.deleteVPC(id=part["vpc"]["id"])
    left = [vpc["name"] for vpc in acme.listVPCs(listall=True).get("vpc", []) if vpc["name"].startswith("cs-")]
    step("nothing is left", not left, left)


def main():
    began = time.monotonic()
    chosen = lookups()
    parts = [build(number, chosen) for number in NUMBERS]
    instances = [part["instance"] for part in parts]
    matrix("before: no instance reaches another VPC", instances, False)
    private, gateways, routes = connect(parts, chosen)
    matrix("after: all six directions ping, the first packet included", instances, True)
    check_routes(routes)
    check_refusals(parts, private, gateways, chosen)
    check_globex(parts, private, gateways, routes, chosen)
    matrix("after all refusals the six directions still ping", instances, True)
    if "STORY_KEEP" not in os.environ:
        tear_down(parts, private, gateways, routes)
    print("%d failed, %.1f s" % (len(failures), time.monotonic() - began))
    print("FAIL" if failures else "PASS")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
