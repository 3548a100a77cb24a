/** The release that the binaries and servers tell. */
export const releaseVersion = '0.1.0';
