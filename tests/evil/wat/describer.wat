;; A plugin that can be described and no more: `@DESCRIBE@` is the body of its
;; `describe`, whose result lies at the address it gives. Everything has a name,
;; so that imports can be put before it.
(component
  @IMPORTS@
  (core module $core
    @CORE@
    (memory (export "memory") @PAGES@)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
    (func $describe_body (export "describe") (result i32) @DESCRIBE@)
    (func (export "open"))
    (func (export "self") (param i32))
    @DATA@)
  (core instance $i (instantiate $core @WITH@))
  (type $role (enum "dataset" "backend" "sla"))
  (type $offer (record (field "role" $role) (field "name" string) (field "aliases" (list string))
    (field "summary" string) (field "config-schema" string)))
  (type $description (record (field "name" string) (field "version" string)
    (field "summary" string) (field "offers" (list $offer))))
  (type $source (resource (rep i32)))
  (func $describe (result $description) (canon lift (core func $i "describe")
    (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
  (func $open (canon lift (core func $i "open")))
  (func $next (param "self" (borrow $source)) (canon lift (core func $i "self")))
  (instance $meta (export "role" (type $role)) (export "offer" (type $offer))
    (export "description" (type $description)) (export "describe" (func $describe)))
  (component $dataset_shim
    (import "source" (type $source (sub resource)))
    (import "open" (func $open))
    (import "next" (func $next (param "self" (borrow $source))))
    (export $named "source" (type $source))
    (export "[static]source.open" (func $open))
    (export "[method]source.next" (func $next) (func (param "self" (borrow $named))))
    (export "[method]source.finish" (func $next) (func (param "self" (borrow $named)))))
  (instance $dataset (instantiate $dataset_shim
    (with "source" (type $source)) (with "open" (func $open)) (with "next" (func $next))))
  @EXPORTS@)
