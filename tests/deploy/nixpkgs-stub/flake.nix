{
  outputs =
    { ... }:
    let
      lib = import ./lib.nix;
      made =
        name: system:
        derivation {
          inherit name system;
          builder = "none";
        };
      packagesOf = system: rec {
        inherit lib;
        stdenv.hostPlatform.system = system;
        git = made "git" system;
        nodejs_26 = made "nodejs-26" system;
        nixfmt-rfc-style = made "nixfmt" system;
        mkShell = { packages }: made "shell-${toString (builtins.length packages)}" system;
        # Packages are not built here, so none is read: package.nix is parsed alone.
        callPackage =
          path: _:
          made (baseNameOf path) system
          // {
            meta = { };
            overrideAttrs = change: made "named" system // (change { meta = { }; });
          };
        testers.runNixOSTest =
          test: made (if test ? testScript && test ? nodes then test.name else throw "no test") system;
      };
    in
    {
      inherit lib;
      legacyPackages = lib.genAttrs [ "x86_64-linux" ] packagesOf;
    };
}
