# Sourced by ./demo and ./check: installs what is missing, shows each step with its time, and is instant when nothing is.
# A program that is there is not asked about again, so that neither apt nor npm runs the second time.

started=$(date +%s%N)
say() { # TEXT: a line with the seconds since the start
  local ms=$((($(date +%s%N) - started) / 1000000))
  printf '[%6s s] %s\n' "$((ms / 1000)).$((ms % 1000 / 100))" "$*"
}
fail() { # TEXT: says what is wrong and ends
  printf '%s\n' "$*" >&2
  exit 1
}

export PATH="$here/node_modules/.bin:$PATH:/usr/local/sbin:/usr/sbin:/sbin"

# PROGRAM=PACKAGE: what the lab needs. /path=PACKAGE asks for a file.
LAB_PROGRAMS='
  ovsdb-server=openvswitch-switch ovs-vswitchd=openvswitch-switch ovs-vsctl=openvswitch-switch
  ovn-northd=ovn-central ovn-nbctl=ovn-central ovn-controller=ovn-host
  busybox=busybox-static dropbear=dropbear-bin ip=iproute2 ping=iputils-ping ethtool=ethtool
  openssl=openssl tcpdump=tcpdump unshare=util-linux setpriv=util-linux sysctl=procps
  keepalived=keepalived nft=nftables dnsmasq=dnsmasq-base haproxy=haproxy conntrackd=conntrackd conntrack=conntrack
  arping=iputils-arping arp-scan=arp-scan traceroute=traceroute socat=socat wg=wireguard-tools wireguard-go=wireguard-go
  openvpn=openvpn charon-systemd=charon-systemd swanctl=strongswan-swanctl
  /usr/lib/ipsec/plugins/libstrongswan-kernel-libipsec.so=libcharon-extra-plugins
  /usr/lib/ipsec/plugins/libstrongswan-eap-mschapv2.so=libcharon-extauth-plugins
  /usr/lib/ipsec/plugins/libstrongswan-gcm.so=libstrongswan-standard-plugins'

# What only the tests need besides: guests under QEMU and libvirt, and servers that switches are driven through.
TEST_PROGRAMS='
  qemu-system-x86_64=qemu-system-x86 virsh=libvirt-clients libvirtd=libvirt-daemon
  /usr/lib/*/libvirt/connection-driver/libvirt_driver_qemu.so=libvirt-daemon-driver-qemu
  ssh=openssh-client sshd=openssh-server netconfd=netconfd mke2fs=e2fsprogs modprobe=kmod ipvsadm=ipvsadm curl=curl
  ansible-playbook=ansible-core /usr/lib/python3/dist-packages/ansible_collections/ngine_io=ansible
  /usr/lib/python3/dist-packages/sshpubkeys/__init__.py=python3-sshpubkeys'

missing_packages() { # PROGRAM=PACKAGE...: the packages of the programs that are not there, each once
  local entry program
  for entry in "$@"; do
    program=${entry%%=*}
    case $program in
      /*) compgen -G "$program" >/dev/null || echo "${entry#*=}" ;;
      *) command -v "$program" >/dev/null || echo "${entry#*=}" ;;
    esac
  done | sort -u
  # An instance's root holds BusyBox and little else: one that needs shared libraries would not run there.
  if [[ " $* " == *' busybox='* ]] && ldd "$(command -v busybox)" >/dev/null 2>&1; then echo busybox-static; fi
}

as_root() { # COMMAND...: with sudo when not root
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Installs packages without starting what they bring: apt asks /usr/sbin/policy-rc.d, and 101 means "do not".
# Where that file exists already, its owner has decided.
install_packages() { # PACKAGE...
  local policy=/usr/sbin/policy-rc.d made= status=0 log
  command -v apt-get >/dev/null ||
    fail "this needs the packages $*; on a system without apt, install what they hold and start again"
  if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
    fail "this needs the packages $*; install them as root: apt-get install --no-install-recommends $*"
  fi
  say "installing $*"
  log=$(mktemp)
  if [ ! -e "$policy" ]; then
    made=1
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
  fi
  { as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q &&
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"; } \
    </dev/null >"$log" 2>&1 || status=$?
  [ -z "$made" ] || as_root rm -f "$policy"
  if [ "$status" != 0 ]; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    fail "apt-get could not install $* (see above)"
  fi
  rm -f "$log"
  stop_services "$@"
  say "installed"
}

# The lab brings its own daemons. Units that our packages enabled would start at the next boot: only those are disabled.
stop_services() { # PACKAGE...
  [ -d /run/systemd/system ] || return 0
  local package unit
  for package in "$@"; do
    for unit in $(dpkg -L "$package" 2>/dev/null | sed -n 's,.*/systemd/system/\([^/]*\.service\)$,\1,p'); do
      as_root systemctl disable --now --quiet "$unit" 2>/dev/null || true
    done
  done
}

ensure_programs() { # PROGRAM=PACKAGE...
  local packages
  packages=$(missing_packages "$@")
  # shellcheck disable=SC2086
  [ -z "$packages" ] || install_packages $packages
}

# Brings node_modules up to the lock file. Any npm will do: the product runs with the Node that comes as one of its packages.
ensure_modules() {
  local stamp="$here/node_modules/.package-lock.json" node="$here/node_modules/.bin/node"
  if [ -e "$stamp" ] && ! [ "$here/package-lock.json" -nt "$stamp" ] && [ -x "$node" ]; then return 0; fi
  ensure_programs node=nodejs npm=npm
  say 'npm ci'
  (cd "$here" && npm ci --no-audit --no-fund --loglevel=error </dev/null) >&2 || fail 'npm ci failed (see above)'
  link_node "$node"
  touch "$stamp"
  say 'installed'
}

# npm 9 (Debian 12) unpacks the package with Node in it but leaves out the link to it.
link_node() { # LINK
  local package
  [ ! -x "$1" ] || return 0
  for package in "$here"/node_modules/node-linux-*; do
    if "$package/bin/node" --version >/dev/null 2>&1; then
      ln -sf "../${package##*/}/bin/node" "$1"
      return 0
    fi
  done
  # Another kind of machine: its own Node has to be new enough.
  node -e 'process.exit(parseInt(process.versions.node) >= 24 ? 0 : 1)' 2>/dev/null ||
    fail "npm ci brought no Node for this machine ($(uname -m)) and its own is older than 24: install Node 24.11 or later"
  ln -sf "$(command -v node)" "$1"
}
