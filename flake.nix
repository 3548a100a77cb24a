{
  description = "mvm-ci: jobs that survive crashes, on workers that join peer to peer";

  # Node 26 is needed: a nixpkgs that has it.
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      # What package-lock.json has native packages for.
      systems = [ "x86_64-linux" ];
      forEachSystem = make: lib.genAttrs systems (system: make system nixpkgs.legacyPackages.${system});

      # One build; worker and flawless are the same programs under another main one.
      programsOf =
        pkgs:
        let
          mvm-ci = pkgs.callPackage ./nix/package.nix { };
          named =
            mainProgram: mvm-ci.overrideAttrs (old: { meta = old.meta // { inherit mainProgram; }; });
        in
        {
          inherit mvm-ci;
          default = mvm-ci;
          worker = named "worker";
          flawless = named "flawless";
        };
    in
    {
      packages = forEachSystem (
        system: pkgs:
        programsOf pkgs // { worker-vm = self.nixosConfigurations."worker-vm-${system}".config.system.build.vm; }
      );

      apps = forEachSystem (
        system: _:
        lib.genAttrs [ "mvm-ci" "worker" "flawless" ] (name: {
          type = "app";
          program = "${self.packages.${system}.mvm-ci}/bin/${name}";
        })
        // {
          default = self.apps.${system}.mvm-ci;
        }
      );

      devShells = forEachSystem (
        _: pkgs: {
          default = pkgs.mkShell { packages = [ (import ./nix/node.nix pkgs) pkgs.git ]; };
        }
      );

      nixosModules = {
        control-plane = import ./nix/control-plane.nix self;
        worker = import ./nix/worker.nix self;
        flawless = import ./nix/flawless.nix self;
        default.imports = [
          self.nixosModules.control-plane
          self.nixosModules.worker
          self.nixosModules.flawless
        ];
      };

      # A virtual machine that is one worker: nix run .#worker-vm
      nixosConfigurations = lib.listToAttrs (
        map (system: {
          name = "worker-vm-${system}";
          value = lib.nixosSystem {
            inherit system;
            modules = [
              self.nixosModules.worker
              ./nix/worker-vm.nix
            ];
          };
        }) systems
      );

      checks = forEachSystem (
        system: pkgs: {
          package = self.packages.${system}.mvm-ci;
          cluster = pkgs.testers.runNixOSTest (import ./nix/cluster-test.nix self);
        }
      );

      formatter = forEachSystem (_: pkgs: pkgs.nixfmt-rfc-style);
    };
}
