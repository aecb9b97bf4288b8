//! The lexicon documents that are compiled in.
//!
//! To add a record type: its document and those that it refers to go to `lexicons/` and into [`DOCUMENTS`], its NSID into
//! [`COLLECTIONS`].

/// Record types that are validated and described in full.
pub const COLLECTIONS: [&str; 18] = [
    "app.bsky.feed.post",
    "app.bsky.feed.like",
    "app.bsky.feed.repost",
    "app.bsky.graph.follow",
    "app.bsky.graph.block",
    "app.bsky.actor.profile",
    "app.bsky.feed.threadgate",
    "app.bsky.feed.postgate",
    "app.bsky.feed.generator",
    "app.bsky.graph.list",
    "app.bsky.graph.listitem",
    "app.bsky.graph.listblock",
    "app.bsky.graph.starterpack",
    "app.bsky.graph.verification",
    "app.bsky.actor.status",
    "app.bsky.labeler.service",
    "app.bsky.notification.declaration",
    "chat.bsky.actor.declaration",
];

/// The documents of `lexicons/`.
pub(super) const DOCUMENTS: &[&str] = &[
    include_str!("../../lexicons/app.bsky.actor.profile.json"),
    include_str!("../../lexicons/app.bsky.actor.status.json"),
    include_str!("../../lexicons/app.bsky.embed.defs.json"),
    include_str!("../../lexicons/app.bsky.embed.external.json"),
    include_str!("../../lexicons/app.bsky.embed.gallery.json"),
    include_str!("../../lexicons/app.bsky.embed.images.json"),
    include_str!("../../lexicons/app.bsky.embed.record.json"),
    include_str!("../../lexicons/app.bsky.embed.recordWithMedia.json"),
    include_str!("../../lexicons/app.bsky.embed.video.json"),
    include_str!("../../lexicons/app.bsky.feed.generator.json"),
    include_str!("../../lexicons/app.bsky.feed.like.json"),
    include_str!("../../lexicons/app.bsky.feed.post.json"),
    include_str!("../../lexicons/app.bsky.feed.postgate.json"),
    include_str!("../../lexicons/app.bsky.feed.repost.json"),
    include_str!("../../lexicons/app.bsky.feed.threadgate.json"),
    include_str!("../../lexicons/app.bsky.graph.block.json"),
    include_str!("../../lexicons/app.bsky.graph.defs.json"),
    include_str!("../../lexicons/app.bsky.graph.follow.json"),
    include_str!("../../lexicons/app.bsky.graph.list.json"),
    include_str!("../../lexicons/app.bsky.graph.listblock.json"),
    include_str!("../../lexicons/app.bsky.graph.listitem.json"),
    include_str!("../../lexicons/app.bsky.graph.starterpack.json"),
    include_str!("../../lexicons/app.bsky.graph.verification.json"),
    include_str!("../../lexicons/app.bsky.labeler.defs.json"),
    include_str!("../../lexicons/app.bsky.labeler.service.json"),
    include_str!("../../lexicons/app.bsky.notification.declaration.json"),
    include_str!("../../lexicons/app.bsky.richtext.facet.json"),
    include_str!("../../lexicons/chat.bsky.actor.declaration.json"),
    include_str!("../../lexicons/com.atproto.label.defs.json"),
    include_str!("../../lexicons/com.atproto.moderation.defs.json"),
    include_str!("../../lexicons/com.atproto.repo.strongRef.json"),
];
