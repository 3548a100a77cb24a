# package-lock.json with a file for each package that is needed at run time: it names no registry, and npm shall ask none.
{
  # { name, version, integrity } -> the package's file
  fetch,
}:
let
  lock = builtins.fromJSON (builtins.readFile ../package-lock.json);
  # Lists of what a package is for, or (with "!") not for.
  suits =
    word: words:
    builtins.elem word words
    || (builtins.all (other: builtins.substring 0 1 other == "!") words && !builtins.elem "!${word}" words);
  nameOf = path: module: module.name or (builtins.head (builtins.match ".*node_modules/(.*)" path));
  # The Nodes that npm can bring: Nix has one.
  isNode = path: builtins.match ".*node_modules/node-(linux|bin|win)-.*" path != null;
  isNeeded =
    path: module:
    module ? integrity
    && !(module.dev or false)
    && !isNode path
    && suits "linux" (module.os or [ ])
    && suits "x64" (module.cpu or [ ])
    && suits "glibc" (module.libc or [ ]);
in
lock
// {
  packages = builtins.mapAttrs (
    path: module:
    if isNeeded path module then
      module
      // {
        resolved = "file:${
          fetch {
            name = nameOf path module;
            inherit (module) version integrity;
          }
        }";
      }
    else
      module
  ) lock.packages;
}
