/** The video and its frames: what is shown is a frame of the trace, found by its time, never by a rate. */
import { bytesOf } from "./columns.js";
import { byId, notice } from "./words.js";

const JUST_BEHIND_S = 0.001;

export class Player {
  constructor(session) {
    this.session = session;
    this.video = byId("video");
    this.rate = 1;
    /** The video's own time at the trace's time 0: learnt from the first frame that it shows. */
    this.offset = null;
    /** Where the video is to go, its own seconds, and the frame that was asked for; null once it plays on from there. */
    this.wanted = this.asked = null;
    const shown = session.facts.video;
    const embedded = byId("embedded-video").textContent;
    this.video.addEventListener("error", () => this.lose());
    this.video.addEventListener("seeked", () => this.settle());
    this.video.addEventListener("loadeddata", () => {
      this.ready = true;
      document.body.dataset.video = "shown";
      if (!("requestVideoFrameCallback" in this.video)) this.begin(0);
      this.goTo(session.frame);
    });
    this.video.addEventListener("pause", () => this.tellPlaying());
    this.video.addEventListener("play", () => this.tellPlaying());
    this.video.addEventListener("ended", () => this.tellPlaying());
    byId("choose-video").addEventListener("change", (event) => {
      const [file] = event.target.files;
      if (file) this.load(URL.createObjectURL(file), file.name);
    });
    if (embedded) this.load(URL.createObjectURL(new Blob([bytesOf(embedded)], { type: shown.type })), shown.name);
    else if (shown?.href) this.load(shown.href, shown.name);
    else document.body.dataset.video = "none";
    this.follow();
  }

  load(address, name) {
    document.body.dataset.video = "loading";
    this.ready = false;
    this.offset = null;
    this.name = name;
    this.video.src = address;
  }

  lose() {
    this.ready = false;
    document.body.dataset.video = "lost";
    const { video } = this.session.facts;
    const name = this.name ?? video?.name;
    byId("video-told").textContent =
      this.video.error?.code === MediaError.MEDIA_ERR_DECODE || !video?.href || this.video.src.startsWith("blob:")
        ? `This browser cannot play ${name}. Convert it (H.264 in MP4) and choose it here:`
        : `${name} is not where it was when this report was made, or this browser cannot play it. Choose it here:`;
  }

  /** Take note of the video's own time of its first frame. */
  begin(mediaTime) {
    this.offset = mediaTime - (this.session.facts.video?.starts_at ?? 0);
  }

  /** Follow the frames that the video shows; without one, the clock. */
  follow() {
    if ("requestVideoFrameCallback" in this.video) {
      const shown = (_, { mediaTime }) => {
        if (this.offset === null) {
          this.begin(mediaTime);
          if (this.session.frame) this.goTo(this.session.frame);
        } else if (this.asked === null && !this.video.seeking) {
          this.session.showFrame(this.shown(mediaTime));
        }
        this.mediaTime = mediaTime;
        if (!this.session.playing) this.session.tell("seeked");
        this.video.requestVideoFrameCallback(shown);
      };
      this.video.requestVideoFrameCallback(shown);
    }
    let before = performance.now();
    const tick = (now) => {
      if (!this.ready && this.session.playing) {
        this.time = Math.max(this.time ?? 0, this.session.now) + ((now - before) / 1000) * this.rate;
        this.session.showFrame(this.session.frameAt(this.time));
        if (this.session.frame === this.session.times.length - 1) this.pause();
      } else if (this.ready && this.session.playing && !("requestVideoFrameCallback" in this.video)) {
        this.session.showFrame(this.session.frameAt(this.video.currentTime - this.offset));
      }
      before = now;
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  /** The frame of the trace that the video shows; seeking, some browsers come to a neighbour of the one asked for. */
  shown(mediaTime = this.mediaTime) {
    return this.session.nearest(mediaTime - this.offset);
  }

  /**
   * Show a frame: the video is put a little behind its beginning, so that no rounding of times gives the one before. Not
   * into its middle: where frames are stored in another order, a browser may take a frame for shorter than it is.
   */
  goTo(frame) {
    const { times, step } = this.session;
    frame = Math.max(0, Math.min(times.length - 1, frame));
    this.time = times[frame];
    this.asked = frame;
    this.session.showFrame(frame);
    if (!this.ready || this.offset === null) return;
    const length = (times[frame + 1] ?? times[frame] + step) - times[frame];
    this.wanted = times[frame] + Math.min(length / 4, JUST_BEHIND_S) + this.offset;
    if (!this.video.seeking) this.video.currentTime = this.sought = this.wanted;
  }

  /** A seek has ended: go on to where the reader has gone meanwhile. */
  settle() {
    if (this.wanted !== null && this.wanted !== this.sought) this.video.currentTime = this.sought = this.wanted;
    else this.wanted = null;
  }

  seek(time) {
    this.goTo(this.session.frameAt(time));
  }

  step(frames) {
    this.pause();
    this.goTo(this.session.frame + frames);
  }

  async play() {
    if (this.session.frame === this.session.times.length - 1) this.goTo(0);
    if (this.ready) {
      this.asked = null;
      this.video.playbackRate = this.rate;
      await this.video.play().catch((error) => notice(`The video does not play: ${error.message}`));
    } else {
      this.time = this.session.now;
      this.setPlaying(true);
    }
  }

  pause() {
    if (this.ready) this.video.pause();
    this.setPlaying(false);
  }

  toggle() {
    if (this.session.playing) this.pause();
    else this.play();
  }

  setRate(rate) {
    this.rate = rate;
    if (this.ready) this.video.playbackRate = rate;
  }

  tellPlaying() {
    this.setPlaying(!this.video.paused && !this.video.ended);
  }

  setPlaying(playing) {
    if (this.session.playing === playing) return;
    this.session.playing = playing;
    this.session.tell("playing");
  }
}
