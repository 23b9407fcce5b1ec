# When the build was made, and on which base.
echo "created=$(date -u +%Y-%m-%dT%H:%M:%SZ)" >>"$GITHUB_OUTPUT"
base=
if [ -n "$BASE" ]; then
  base=$(docker buildx imagetools inspect --format '{{json .Manifest.Digest}}' "$BASE" | tr -d '"')
fi
echo "base=$base" >>"$GITHUB_OUTPUT"
