# The programs mvm-ci, worker and flawless, with all that they need at run time.
{
  lib,
  stdenv,
  stdenvNoCC,
  pkgs,
  autoPatchelfHook,
  makeWrapper,
  cacert,
}:
let
  manifest = lib.importJSON ../package.json;
  nodejs = import ./node.nix pkgs;

  # The file of one package, as npm gets it from whatever registry it is set to; its hash is the one in package-lock.json.
  fetch =
    {
      name,
      version,
      integrity,
    }:
    stdenvNoCC.mkDerivation {
      name = "${lib.strings.sanitizeDerivationName name}-${version}.tgz";
      nativeBuildInputs = [
        nodejs
        cacert
      ];
      impureEnvVars = lib.fetchers.proxyImpureEnvVars;
      dontUnpack = true;
      dontFixup = true;
      buildPhase = ''
        export HOME=$TMPDIR NODE_EXTRA_CA_CERTS=${cacert}/etc/ssl/certs/ca-bundle.crt
        npm pack --silent --ignore-scripts "${name}@${version}"
      '';
      installPhase = "mv *.tgz $out";
      outputHashMode = "flat";
      outputHash = integrity;
    };

  lockFile = pkgs.writeText "package-lock.json" (
    builtins.toJSON (import ./npm-lock.nix { inherit fetch; })
  );

  isManifest = file: file.name == "package.json";
  isTest = file: lib.hasSuffix ".test.ts" file.name;
in
stdenv.mkDerivation {
  pname = "mvm-ci";
  inherit (manifest) version;
  src = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.unions [
      ../package.json
      ../.npmrc
      (lib.fileset.difference ../packages (lib.fileset.fileFilter isTest ../packages))
      # Workspaces, which the lock file names.
      (lib.fileset.fileFilter isManifest ../examples)
    ];
  };
  nativeBuildInputs = [
    autoPatchelfHook
    makeWrapper
    nodejs
  ];
  # Of the native binding of iroh.
  buildInputs = [ stdenv.cc.cc.lib ];
  buildPhase = ''
    runHook preBuild
    export HOME=$TMPDIR
    cp ${lockFile} package-lock.json
    npm ci --offline --omit=dev --ignore-scripts --no-audit --no-fund
    runHook postBuild
  '';
  installPhase = ''
    runHook preInstall
    mkdir -p $out/lib/mvm-ci $out/bin
    cp -r package.json packages node_modules $out/lib/mvm-ci
    # Links to the examples, which are not here.
    find $out/lib/mvm-ci/node_modules -maxdepth 2 -xtype l -delete
    for name in mvm-ci worker flawless; do
      makeWrapper ${nodejs}/bin/node $out/bin/$name --add-flags $out/lib/mvm-ci/packages/cli/bin/$name.mjs
    done
    runHook postInstall
  '';
  doInstallCheck = true;
  installCheckPhase = "$out/bin/mvm-ci --version";
  meta = {
    inherit (manifest) description;
    license = lib.licenses.asl20;
    mainProgram = "mvm-ci";
    platforms = [ "x86_64-linux" ];
  };
}
