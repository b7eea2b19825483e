"""What goes in and out of files and sites."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from picloud.domain.file import MAX_CONTENT_TYPE, MAX_PATH_BYTES
from picloud.domain.site import MAX_DEPLOYED, MAX_RULES

_SHA256 = validate.Regexp("[0-9a-f]{64}", error="expected 64 digits of 0-9a-f")


class FileQuery(Schema):
    """Files whose paths begin with `prefix`; with the `delimiter` `/`, what lies deeper is one folder each."""

    prefix = fields.Str(load_default="", metadata={"example": "reports/"})
    delimiter = fields.Str(validate=validate.OneOf(["/"]))
    limit = fields.Int(load_default=100, validate=validate.Range(1, 1000), metadata={"description": "Items at most."})
    cursor = fields.Str(metadata={"description": "The `next` of the page before."})


class FileOut(Schema):
    """A file. Its content has this SHA-256, which is its entity tag too."""

    path = fields.Str(required=True)
    size = fields.Int(required=True)
    sha256 = fields.Str(required=True)
    content_type = fields.Str(required=True)
    metadata = fields.Dict(keys=fields.Str(), values=fields.Str(), required=True)
    written_at = fields.DateTime(required=True)
    version = fields.Int(required=True)


class FileList(Schema):
    """A page of files in the order of their paths, and the folders among them."""

    items = fields.List(fields.Nested(FileOut), required=True)
    folders = fields.List(fields.Str(), required=True)
    next = fields.Str(required=True, allow_none=True)


class ContentOut(Schema):
    """A content that is stored."""

    sha256 = fields.Str(required=True)
    size = fields.Int(required=True)


class CacheRuleIn(Schema):
    """Files that fit the `pattern` are sent with this `Cache-Control`."""

    pattern = fields.Str(required=True, validate=validate.Length(1, MAX_PATH_BYTES), metadata={"example": "assets/*"})
    value = fields.Str(required=True, metadata={"example": "public, max-age=3600"})


class SiteIn(Schema):
    """How an app's files are served as a site. What isn't given is as for a new site."""

    prefix = fields.Str(load_default="site/")
    index = fields.Str(load_default="index.html")
    fallback = fields.Str(load_default="index.html", metadata={"description": "The page of a single-page app."})
    not_found = fields.Str(load_default="404.html")
    cache = fields.List(fields.Nested(CacheRuleIn), load_default=list, validate=validate.Length(max=MAX_RULES))


class SiteOut(Schema):
    """An app's site: where it is, its settings, what was deployed last."""

    url = fields.Str(required=True)
    prefix = fields.Str(required=True)
    index = fields.Str(required=True)
    fallback = fields.Str(required=True)
    not_found = fields.Str(required=True)
    cache = fields.List(fields.Nested(CacheRuleIn), required=True)
    deployed_at = fields.DateTime(required=True, allow_none=True)
    files = fields.Int(required=True)
    bytes = fields.Int(required=True)


class SiteFileIn(Schema):
    """A file of a site: its path under the prefix, and the SHA-256 of its content."""

    path = fields.Str(required=True, validate=validate.Length(1, MAX_PATH_BYTES), metadata={"example": "index.html"})
    sha256 = fields.Str(required=True, validate=_SHA256)
    content_type = fields.Str(load_default=None, allow_none=True, validate=validate.Length(1, MAX_CONTENT_TYPE))


class DeploymentIn(Schema):
    """All files that a site is to consist of. With `dry_run` nothing is done."""

    files = fields.List(fields.Nested(SiteFileIn), required=True, validate=validate.Length(1, MAX_DEPLOYED))
    prefix = fields.Str(load_default=None, allow_none=True)
    dry_run = fields.Bool(load_default=False)


class DeploymentOut(Schema):
    """What a deployment came to; of a dry run also which contents are `missing`."""

    url = fields.Str(required=True)
    prefix = fields.Str(required=True)
    written = fields.List(fields.Str(), required=True)
    deleted = fields.List(fields.Str(), required=True)
    unchanged = fields.Int(required=True)
    files = fields.Int(required=True)
    bytes = fields.Int(required=True)
    missing = fields.List(fields.Str(), required=True)
