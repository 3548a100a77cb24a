# nix build .#checks.x86_64-linux.cluster: three virtual machines, a job, and a worker that is killed under it.
self:
let
  inherit (self.inputs.nixpkgs) lib;
  worker = name: {
    imports = [ self.nixosModules.worker ];
    services.mvm-ci.worker = {
      enable = true;
      ticketFile = "/run/ticket";
      inherit name;
    };
    # The test brings the ticket.
    systemd.services.mvm-ci-worker.wantedBy = lib.mkForce [ ];
  };
in
{
  name = "mvm-ci-cluster";

  nodes.plane =
    { pkgs, ... }:
    {
      imports = [ self.nixosModules.control-plane ];
      services.mvm-ci.control-plane = {
        enable = true;
        openFirewall = true;
        advertise = [ "plane:3021" ];
      };
      environment.systemPackages = [ self.packages.${pkgs.stdenv.hostPlatform.system}.mvm-ci ];
    };
  nodes.left = worker "left";
  nodes.right = worker "right";

  testScript = ''
    import json

    plane.wait_for_unit("mvm-ci-control-plane.service")
    plane.wait_for_open_port(3020)
    ticket = plane.succeed("mvm-ci ticket create --uses 2").strip()
    workers = {"left": left, "right": right}
    for machine in workers.values():
        machine.succeed(f"umask 077; echo {ticket} > /run/ticket; systemctl start mvm-ci-worker.service")
        machine.wait_until_succeeds("curl --fail --silent http://127.0.0.1:3030/readyz")

    plane.succeed("mvm-ci deploy ${./cluster-test-workflow.ts} --as patient@1.0.0")
    plane.succeed("mvm-ci publish patient --id job --input 200")
    plane.wait_until_succeeds("mvm-ci logs job | grep -q 'step 10'")

    # Whoever holds the job dies; the other one goes on with it.
    holder = json.loads(plane.succeed("mvm-ci status job --json"))["claimed_by"]
    names = {node["node"]: node["name"] for node in json.loads(plane.succeed("mvm-ci nodes --json"))}
    workers[names[holder]].succeed("systemctl kill --signal=SIGKILL mvm-ci-worker.service")
    plane.succeed("mvm-ci status job --wait")
    job = json.loads(plane.succeed("mvm-ci status job --json"))
    assert job["status"] == "completed" and job["result"] == 200, job
    assert job["lost_leases"] == 1, job

    # SIGTERM drains: the process ends by itself.
    left.wait_for_unit("mvm-ci-worker.service")
    left.succeed("systemctl stop mvm-ci-worker.service")
    assert "Result=success" in left.succeed("systemctl show -p Result mvm-ci-worker.service")
  '';
}
