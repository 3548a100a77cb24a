/** What the other side of a channel did against the rules; it ends the channel and is never thrown outwards. */
export class ChannelViolation extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ChannelViolation';
  }
}
